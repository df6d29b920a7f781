/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Sockets with the options that every user of them wants. Any thread; owns nothing: descriptors
 * belong to the caller as soon as they are returned.
 */
#include "core/net/sock.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/log.h"

/* perigeectl gives up on a daemon that does not even accept. */
#define UNIX_CONNECT_SECONDS 10

static int fail(int fd)
{
	int error = errno;

	if (fd >= 0)
		close(fd);
	return -error;
}

static int set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value));
}

static bool is_ipv6_any(const struct net_addr *addr)
{
	return addr->sa.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&addr->in6.sin6_addr);
}

static int bind_socket(int fd, const struct net_addr *addr)
{
	if (fd < 0)
		return -errno;
	if (addr->sa.sa_family == AF_INET6 &&
	    set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, is_ipv6_any(addr) ? 0 : 1) < 0)
		return fail(fd);
	if (bind(fd, &addr->sa, net_addr_len(addr)) < 0)
		return fail(fd);
	return fd;
}

static int bound_socket(const struct net_addr *addr, int type)
{
	int fd = socket(addr->sa.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0 && (set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0 ||
			set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1) < 0))
		return fail(fd);
	return bind_socket(fd, addr);
}

void sock_fit_any(struct net_addr *addr)
{
	uint16_t port = net_addr_port(addr);
	int fd;

	if (!is_ipv6_any(addr))
		return;
	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		close(fd);
		return;
	}
	/* Anything else will be told when the address is taken. */
	if (errno != EAFNOSUPPORT)
		return;
	*addr = (struct net_addr){.in = {.sin_family = AF_INET}};
	net_addr_set_port(addr, port);
	log_warn("there is no IPv6 here: *:%u is taken for IPv4 only", port);
}

int sock_check_free(const struct net_addr *addr, int type)
{
	int fd = socket(addr->sa.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	/* For TCP, connections of a process that has ended do not matter. Of UDP it would mean that
	 * the address may be shared. */
	if (fd >= 0 && type == SOCK_STREAM && set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0)
		return fail(fd);
	fd = bind_socket(fd, addr);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

int sock_listen_tcp(const struct net_addr *addr, int backlog)
{
	int fd = bound_socket(addr, SOCK_STREAM);

	/* Accepted sockets inherit it, which saves a system call for each. */
	if (fd >= 0 && (set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) < 0 || listen(fd, backlog) < 0))
		return fail(fd);
	return fd;
}

int sock_bind_udp(const struct net_addr *addr)
{
	return bound_socket(addr, SOCK_DGRAM);
}

int sock_accept(int listener, struct net_addr *remote)
{
	socklen_t len;
	int fd;

	do {
		len = sizeof(*remote);
		fd = accept4(listener, &remote->sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		/* A client that left while it was waiting is no reason to stop. */
	} while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	return fd < 0 ? -errno : fd;
}

int sock_connect_tcp(const struct net_addr *addr)
{
	const struct sock_dial none = {0};

	return sock_dial_tcp(addr, &none);
}

static bool bind_source(int fd, const struct net_addr *source)
{
	if (source->sa.sa_family == AF_UNSPEC)
		return true;
	/* The port is chosen by connect(), which knows the destination: a port may be in use for
	 * each of them. */
	set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	return bind(fd, &source->sa, net_addr_len(source)) == 0;
}

/* None of them is worth a connection. */
static void set_dial_options(int fd, const struct sock_dial *how)
{
	if (how->keep_alive.count > 0)
		sock_set_keepalive(fd, how->keep_alive.idle, how->keep_alive.interval,
				   how->keep_alive.count);
	if (how->mss > 0)
		set_option(fd, IPPROTO_TCP, TCP_MAXSEG, (int)how->mss);
	if (*how->congestion_control)
		sock_set_congestion_control(fd, how->congestion_control);
	if (how->user_timeout.ns > 0)
		set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
			   (int)MIN(dur_to_ms(how->user_timeout), INT32_MAX));
	if (how->fast_open)
		set_option(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
	if (how->speaks_first)
		set_option(fd, IPPROTO_TCP, TCP_QUICKACK, 0);
}

int sock_dial_tcp(const struct net_addr *addr, const struct sock_dial *how)
{
	bool is_ipv6 = addr->sa.sa_family == AF_INET6;
	int fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) < 0)
		return fail(fd);
	if (!bind_source(fd, is_ipv6 ? &how->source6 : &how->source4))
		return fail(fd);
	set_dial_options(fd, how);
	/* EINTR: it goes on in the background, just like EINPROGRESS. */
	if (connect(fd, &addr->sa, net_addr_len(addr)) < 0 && errno != EINPROGRESS &&
	    errno != EINTR)
		return fail(fd);
	return fd;
}

bool sock_is_connected(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
	       info.tcpi_state != TCP_SYN_SENT && info.tcpi_state != TCP_CLOSE;
}

duration sock_rtt(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return DUR_NS(0);
	return DUR_US(info.tcpi_rtt);
}

bool sock_has_address(const struct net_addr *addr)
{
	int fd = socket(addr->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool has = fd >= 0 && bind(fd, &addr->sa, net_addr_len(addr)) == 0;

	if (fd >= 0)
		close(fd);
	return has;
}

bool sock_has_route(const struct net_addr *addr)
{
	int fd = socket(addr->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	/* Of UDP it sends nothing, and takes the ports of TCP from nobody. */
	bool ok = fd >= 0 && connect(fd, &addr->sa, net_addr_len(addr)) == 0;
	int error = errno;

	if (fd >= 0)
		close(fd);
	return ok || (error != ENETUNREACH && error != EADDRNOTAVAIL && error != EAFNOSUPPORT);
}

/* At least 1; the kernel refuses more than 32,767. */
static int whole_seconds(duration d)
{
	int64_t seconds = (d.ns + 999999999) / 1000000000;

	return (int)MAX(1, MIN(seconds, 32767));
}

int sock_set_keepalive(int fd, duration idle, duration interval, unsigned count)
{
	int probes = (int)MAX(1, MIN(count, 127));

	if (set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, whole_seconds(idle)) < 0 ||
	    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, whole_seconds(interval)) < 0 ||
	    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, probes) < 0 ||
	    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1) < 0)
		return -errno;
	return 0;
}

int sock_set_congestion_control(int fd, const char *name)
{
	if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) < 0)
		return -errno;
	return 0;
}

int sock_try_congestion_control(const char *name)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), error;

	if (fd < 0)
		return -errno;
	error = sock_set_congestion_control(fd, name);
	close(fd);
	return error;
}

int sock_error(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	return -error;
}

bool sock_is_shortage(int error)
{
	switch (error) {
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case EADDRNOTAVAIL: /* of connect(): no free port */
		return true;
	default:
		return false;
	}
}

int sock_local_addr(int fd, struct net_addr *out)
{
	socklen_t len = sizeof(*out);

	memset(out, 0, sizeof(*out));
	return getsockname(fd, &out->sa, &len) < 0 ? -errno : 0;
}

static int unix_address(const char *path, struct sockaddr_un *un)
{
	*un = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(un->sun_path))
		return -ENAMETOOLONG;
	strcpy(un->sun_path, path);
	return 0;
}

/* True when path is a socket that nobody listens on. */
static bool is_stale(const char *path)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	fd = sock_connect_unix(path);
	if (fd >= 0)
		close(fd);
	return fd == -ECONNREFUSED;
}

int sock_listen_unix(const char *path)
{
	struct sockaddr_un un;
	int error = unix_address(path, &un);
	int fd;

	if (error < 0)
		return error;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* The mode before bind() keeps others out from the first moment; the umask may still take
	 * from it, hence once more after. */
	if (fd < 0 || fchmod(fd, 0660) < 0)
		return fail(fd);
	if (bind(fd, (struct sockaddr *)&un, sizeof(un)) < 0) {
		if (errno != EADDRINUSE)
			return fail(fd);
		if (!is_stale(path)) {
			errno = EADDRINUSE;
			return fail(fd);
		}
		if (unlink(path) < 0 || bind(fd, (struct sockaddr *)&un, sizeof(un)) < 0)
			return fail(fd);
	}
	if (chmod(path, 0660) < 0 || listen(fd, SOMAXCONN) < 0)
		return fail(fd);
	return fd;
}

int sock_connect_unix(const char *path)
{
	const struct timeval limit = {.tv_sec = UNIX_CONNECT_SECONDS};
	struct sockaddr_un un;
	int error = unix_address(path, &un);
	int fd;

	if (error < 0)
		return error;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
	    connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0) {
		/* The time is over, and nobody has taken connections. */
		if (errno == EAGAIN)
			errno = ETIMEDOUT;
		return fail(fd);
	}
	return fd;
}

/* The kernel says of a file, a pipe or a folder what it says of a socket that nobody listens at. */
static int fault_of(const char *path, int error)
{
	struct stat st;
	bool is_other = error == ECONNREFUSED && stat(path, &st) == 0 && !S_ISSOCK(st.st_mode);

	return is_other ? ENOTSOCK : error;
}

int sock_dial_unix(const char *path)
{
	struct sockaddr_un un;
	int error = unix_address(path, &un);
	int fd;

	if (error < 0)
		return error;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0) {
		errno = fault_of(path, errno);
		return fail(fd);
	}
	return fd;
}
