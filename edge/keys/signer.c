/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The signer's whole life, see signer.h. The table of keys is shared by all channels' threads:
 * signing reads it, loading and dropping change it.
 */
#include "edge/keys/signer.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/clock.h"
#include "core/base/thread.h"
#include "core/process/daemon.h"
#include "edge/keys/keys_internal.h"
#include "edge/keys/signable.h"
#include "edge/keys/signer_files.h"
#include "edge/keys/signer_message.h"

/* More than an edge has: old and new ones at a reload, several kinds for each site. */
#define KEYS_MAX (1 << 17)
/* Each is a thread. An edge has one for each thread that does handshakes. */
#define CHANNELS_MAX 2048

struct slot {
	struct edge_key *key;
	gnutls_privkey_t handle;
};

static struct {
	pthread_rwlock_t lock;
	struct slot *slots; /* key N is slot N - 1 */
	uint32_t n_slots;
	uint32_t *unused; /* room for n_slots */
	uint32_t n_unused;
	atomic_uint n_channels;
	/* Signatures: one more may be made from `next` on, less what may be made at once. */
	pthread_mutex_t pace_lock;
	int64_t interval_ns; /* 0: no limit */
	int64_t burst_ns;
	int64_t next_ns;
	/* Who loads or drops comes before who signs: those may leave no gap for minutes. */
} signer = {.lock = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP,
	    .pace_lock = PTHREAD_MUTEX_INITIALIZER};

/* Keys */

/* 0: there are too many. */
static uint32_t put_locked(struct slot slot)
{
	if (signer.n_unused > 0) {
		uint32_t key = signer.unused[--signer.n_unused];

		signer.slots[key - 1] = slot;
		return key;
	}
	if (signer.n_slots == KEYS_MAX)
		return 0;
	signer.slots = xreallocarray(signer.slots, signer.n_slots + 1, sizeof(*signer.slots));
	signer.unused = xreallocarray(signer.unused, signer.n_slots + 1, sizeof(*signer.unused));
	signer.slots[signer.n_slots++] = slot;
	return signer.n_slots;
}

static struct slot *find_locked(uint32_t key)
{
	if (key > signer.n_slots || signer.slots[key - 1].key == NULL)
		return NULL;
	return &signer.slots[key - 1];
}

static void clear(struct slot *slot)
{
	gnutls_privkey_deinit(slot->handle);
	edge_key_unref(&slot->key);
}

static struct signer_response refuse(enum signer_status status, const char *why)
{
	return (struct signer_response){.status = status, .content = span_of(why)};
}

static struct signer_response load(const struct signer_request *request, char **text)
{
	char path[SIGNER_PATH_MAX + 1] = {0};
	struct slot slot;
	uint32_t key;

	memcpy(path, request->content.p, request->content.n);
	if (!signer_files_allow(path))
		return refuse(SIGNER_REFUSED, "is no key that the configuration names");
	slot.key = local_key_load(path, text);
	if (slot.key == NULL)
		return refuse(SIGNER_FAILED, *text);
	if (slot.key->bits > SIGNER_SIGNATURE_MAX * 8) {
		edge_key_unref(&slot.key);
		return refuse(SIGNER_FAILED, "is a key too large for the signer");
	}
	slot.handle = edge_key_handle(slot.key);
	pthread_rwlock_wrlock(&signer.lock);
	key = put_locked(slot);
	pthread_rwlock_unlock(&signer.lock);
	if (key == 0) {
		clear(&slot);
		return refuse(SIGNER_FAILED, "is a key too many for the signer");
	}
	return (struct signer_response){
	    .key = key,
	    .algorithm = (uint16_t)slot.key->algorithm,
	    .bits = (uint16_t)slot.key->bits,
	    .id = slot.key->id,
	};
}

static struct signer_response drop(const struct signer_request *request)
{
	struct slot gone = {0}, *slot;

	pthread_rwlock_wrlock(&signer.lock);
	slot = find_locked(request->key);
	if (slot != NULL) {
		gone = *slot;
		*slot = (struct slot){0};
		signer.unused[signer.n_unused++] = request->key;
	}
	pthread_rwlock_unlock(&signer.lock);
	if (slot == NULL)
		return refuse(SIGNER_UNKNOWN, "");
	clear(&gone);
	return (struct signer_response){.key = request->key};
}

/* Signing */

static bool within_pace(void)
{
	int64_t now = clock_mono().ns;
	bool ok;

	if (signer.interval_ns == 0)
		return true;
	pthread_mutex_lock(&signer.pace_lock);
	signer.next_ns = MAX(signer.next_ns, now);
	ok = signer.next_ns + signer.interval_ns <= now + signer.burst_ns;
	if (ok)
		signer.next_ns += signer.interval_ns;
	pthread_mutex_unlock(&signer.pace_lock);
	return ok;
}

static struct signer_response sign_locked(const struct signer_request *request,
					  gnutls_datum_t *signature)
{
	gnutls_sign_algorithm_t algorithm = signable_algorithm(request->scheme);
	const gnutls_datum_t data = {(unsigned char *)request->content.p,
				     (unsigned)request->content.n};
	const struct slot *slot = find_locked(request->key);
	int ret;

	if (slot == NULL)
		return refuse(SIGNER_UNKNOWN, "");
	if (gnutls_sign_supports_pk_algorithm(algorithm, slot->key->algorithm) == 0)
		return refuse(SIGNER_REFUSED, "not a signature scheme of that kind of key");
	ret = gnutls_privkey_sign_data2(slot->handle, algorithm, 0, &data, signature);
	if (ret < 0)
		return refuse(SIGNER_FAILED, gnutls_strerror(ret));
	return (struct signer_response){.key = request->key,
					.content = {(char *)signature->data, signature->size}};
}

static struct signer_response sign(const struct signer_request *request, gnutls_datum_t *signature)
{
	const char *why = signable_refuse(request->scheme, request->content);
	struct signer_response response;

	if (why != NULL)
		return refuse(SIGNER_REFUSED, why);
	if (!within_pace())
		return refuse(SIGNER_LIMITED, "");
	pthread_rwlock_rdlock(&signer.lock);
	response = sign_locked(request, signature);
	pthread_rwlock_unlock(&signer.lock);
	return response;
}

/* Channels */

/* False: that is none of our protocol. */
static bool answer(int fd, const void *packet, size_t n)
{
	gnutls_datum_t signature = {0};
	struct signer_request request;
	struct signer_response response;
	char out[SIGNER_MESSAGE_MAX], *text = NULL;
	size_t size;

	if (!signer_request_parse(&request, packet, n) || request.verb == SIGNER_OPEN)
		return false;
	if (request.verb == SIGNER_LOAD)
		response = load(&request, &text);
	else if (request.verb == SIGNER_DROP)
		response = drop(&request);
	else
		response = sign(&request, &signature);
	size = signer_response_write(&response, request.verb, out);
	gnutls_free(signature.data);
	free(text);
	return send(fd, out, size, MSG_NOSIGNAL) == (ssize_t)size;
}

static void *serve_channel(void *arg)
{
	int fd = (int)(intptr_t)arg;
	/* One more than any message: what is longer is cut, and no message then. */
	char packet[SIGNER_MESSAGE_MAX + 1];
	ssize_t n;

	do {
		n = recv(fd, packet, sizeof(packet), 0);
	} while ((n < 0 && errno == EINTR) || (n > 0 && answer(fd, packet, (size_t)n)));
	close(fd);
	atomic_fetch_sub(&signer.n_channels, 1);
	return NULL;
}

static void open_channel(int fd)
{
	pthread_t thread;

	if (atomic_fetch_add(&signer.n_channels, 1) < CHANNELS_MAX &&
	    thread_start(&thread, "channel", serve_channel, (void *)(intptr_t)fd) == 0) {
		pthread_detach(thread);
		return;
	}
	atomic_fetch_sub(&signer.n_channels, 1);
	close(fd);
}

/* What there is room for: where one would do, alignment leaves room for two. */
#define PASSED_MAX 2

/* -1: none came with it, or more than one, which are closed. */
static int passed_descriptor(struct msghdr *message)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(message);
	int fds[PASSED_MAX];
	size_t n;

	if (c == NULL || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return -1;
	n = MIN((c->cmsg_len - CMSG_LEN(0)) / sizeof(*fds), PASSED_MAX);
	memcpy(fds, CMSG_DATA(c), n * sizeof(*fds));
	if (n == 1)
		return fds[0];
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	return -1;
}

/* False at the end of the control socket. */
static bool serve_control(int control)
{
	char packet[SIGNER_MESSAGE_MAX], passed[CMSG_SPACE(PASSED_MAX * sizeof(int))];
	struct iovec iov = {packet, sizeof(packet)};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = passed,
				 .msg_controllen = sizeof(passed)};
	ssize_t n = recvmsg(control, &message, MSG_CMSG_CLOEXEC);
	struct signer_request request;
	int fd;

	if (n <= 0)
		return n < 0 && errno == EINTR;
	fd = passed_descriptor(&message);
	if (fd < 0)
		return true;
	if (signer_request_parse(&request, packet, (size_t)n) && request.verb == SIGNER_OPEN)
		open_channel(fd);
	else
		close(fd);
	return true;
}

/* The start */

/* Before there is any key. */
static void protect(void)
{
	struct rlimit none = {0, 0}, all = {RLIM_INFINITY, RLIM_INFINITY};

	/* Nobody without CAP_SYS_PTRACE reads its memory, and it leaves no core. */
	CHECK(prctl(PR_SET_DUMPABLE, 0) == 0);
	CHECK(setrlimit(RLIMIT_CORE, &none) == 0);
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	/* Keys are not to be swapped out. With less than all that it is allowed to lock it would
	 * run out of memory. */
	if (setrlimit(RLIMIT_MEMLOCK, &all) == 0)
		mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
}

int edge_signer_main(int argc, char **argv)
{
	long signatures;
	int control;

	if (argc != 5)
		return 2;
	prctl(PR_SET_NAME, EDGE_SIGNER_NAME);
	control = (int)strtol(argv[1], NULL, 10);
	signatures = strtol(argv[2], NULL, 10);
	signer.burst_ns = strtol(argv[3], NULL, 10) * 1000000000;
	signer.interval_ns = signatures > 0 ? signer.burst_ns / signatures : 0;
	signer_files_init(argv[4]);
	protect();
	daemon_raise_file_limit(); /* each channel takes one */
	while (serve_control(control))
		;
	/* Threads may be in the middle of a signature. */
	_exit(0);
}
