/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Namespaces and TUN devices; see host.h. A thread's namespace decides where a socket or a TUN
 * device comes to be and what /proc/sys/net shows, so each host is furnished from within.
 */
#include "tests/wan/host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/route.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEVICE_NAME "wan0"
#define DEVICE_MTU 1500
/* Packets that the kernel may have ready for us; more than a congestion window grows to here. */
#define DEVICE_QUEUE 10000

static bool fault(const char *host, const char *what)
{
	fprintf(stderr, "wan-line: host %s: %s: %s\n", host, what, strerror(errno));
	return false;
}

static void set_address(struct sockaddr *where, struct in_addr address)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = address};

	memcpy(where, &in, sizeof(in));
}

static bool device_up(int sock, const char *device)
{
	struct ifreq request = {0};

	strcpy(request.ifr_name, device);
	if (ioctl(sock, SIOCGIFFLAGS, &request) != 0)
		return false;
	request.ifr_flags |= IFF_UP;
	return ioctl(sock, SIOCSIFFLAGS, &request) == 0;
}

static bool device_furnish(int sock, struct in_addr address)
{
	const struct in_addr whole = {htonl(0xffffffff)}, any = {htonl(INADDR_ANY)};
	struct ifreq request = {.ifr_name = DEVICE_NAME};
	struct rtentry route = {.rt_flags = RTF_UP, .rt_dev = request.ifr_name};

	request.ifr_mtu = DEVICE_MTU;
	if (ioctl(sock, SIOCSIFMTU, &request) != 0)
		return false;
	request.ifr_qlen = DEVICE_QUEUE;
	if (ioctl(sock, SIOCSIFTXQLEN, &request) != 0)
		return false;
	set_address(&request.ifr_addr, address);
	if (ioctl(sock, SIOCSIFADDR, &request) != 0)
		return false;
	set_address(&request.ifr_netmask, whole);
	if (ioctl(sock, SIOCSIFNETMASK, &request) != 0 || !device_up(sock, DEVICE_NAME))
		return false;
	set_address(&route.rt_dst, any);
	set_address(&route.rt_genmask, any);
	return ioctl(sock, SIOCADDRT, &route) == 0;
}

static int open_device(void)
{
	struct ifreq request = {.ifr_name = DEVICE_NAME, .ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 && ioctl(fd, TUNSETIFF, &request) != 0) {
		int why = errno;

		close(fd);
		errno = why;
		return -1;
	}
	return fd;
}

static bool set_sysctl(const struct world *world, const struct world_sysctl *sysctl)
{
	char path[512];
	size_t length = strlen(sysctl->value);
	ssize_t written = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/%s", sysctl->name);
	for (char *c = path + strlen("/proc/sys/"); *c; c++) {
		if (*c == '.')
			*c = '/';
	}
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		written = write(fd, sysctl->value, length);
		close(fd);
	}
	if (written == (ssize_t)length)
		return true;
	fprintf(stderr, "%s:%d: %s cannot be set to %s: %s\n", world->file, sysctl->line,
		sysctl->name, sysctl->value, strerror(errno));
	return false;
}

static bool furnish(struct host *host, const struct world_host *described, bool *forbidden)
{
	int sock;
	bool good;

	host->device = open_device();
	if (host->device < 0) {
		*forbidden =
		    errno == EPERM || errno == EACCES || errno == ENOENT || errno == ENODEV;
		return fault(described->name, "cannot make a TUN device of /dev/net/tun");
	}
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return fault(described->name, "socket");
	good = (device_up(sock, "lo") && device_furnish(sock, described->address)) ||
	       fault(described->name, "cannot furnish its devices");
	close(sock);
	return good;
}

bool host_create(struct host *host, const struct world_host *described, const struct world *world,
		 bool *forbidden)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	bool good = true;

	*host = (struct host){.space = -1, .device = -1};
	if (home < 0)
		return fault(described->name, "/proc/self/ns/net");
	if (unshare(CLONE_NEWNET) != 0) {
		*forbidden = errno == EPERM || errno == ENOSYS || errno == EINVAL;
		good = fault(described->name, "cannot make a network namespace");
	}
	if (good) {
		host->space = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		good = host->space >= 0 || fault(described->name, "/proc/self/ns/net");
	}
	good = good && furnish(host, described, forbidden);
	for (size_t i = 0; good && i < world->sysctl_count; i++)
		good = set_sysctl(world, &world->sysctls[i]);
	if (good && setns(home, CLONE_NEWNET) != 0)
		good = fault(described->name, "cannot leave its namespace");
	close(home);
	return good;
}

void host_destroy(struct host *host)
{
	if (host->device >= 0)
		close(host->device);
	if (host->space >= 0)
		close(host->space);
}
