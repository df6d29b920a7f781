/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Channels to the signer, see signer_link.h. What threads share is the control socket by which
 * channels are opened; it is replaced when the keeper sends that of another signer.
 */
#define LOG_MODULE LOG_TLS
#include "edge/keys/signer_link.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "edge/keys/remote/relay.h"

/* A signer that could not be reached is not waited for by each who comes after. */
#define PAUSE_MS 500
/* The first start, and the reading of a key, for which the signer may read the configuration too: a
 * machine may be busy. */
#define START_MS 15000

/* It answers by then, if only that it cannot; unless it hangs. */
#define RELAY_PATIENCE_MS (EDGE_RELAY_ASK_MS + 1000)

struct signer_link {
	int patience_ms;
	pthread_key_t channel; /* of a thread: struct channel */
	pthread_mutex_t lock;
	/* Under the lock. */
	int keeper;
	int control; /* -1: none */
	bool over;   /* the keeper is gone */
	mono_time pause;
	/* Changed under the lock. */
	_Atomic uint32_t generation;
	_Atomic uint64_t by_status[SIGNER_N_STATUS];
	_Atomic uint64_t unanswered;
	atomic_bool is_away;
};

struct channel {
	int fd; /* -1: none */
	uint32_t generation;
};

static void close_channel(struct channel *channel)
{
	if (channel->fd >= 0)
		close(channel->fd);
	channel->fd = -1;
}

static void end_channel(void *arg)
{
	close_channel(arg);
	free(arg);
}

/* The keeper */

static void say_ended(uint32_t generation, int ended)
{
	if (generation == 1)
		return;
	if (WIFSIGNALED(ended))
		log_error("the signer was ended by signal %d: another one has its place",
			  WTERMSIG(ended));
	else
		log_error("the signer ended with %d: another one has its place",
			  WEXITSTATUS(ended));
}

/* The keeper ends that one, where it is not dead yet, and starts another. */
static void ask_for_another_locked(struct signer_link *link, uint32_t generation)
{
	const struct signer_hangs message = {generation};

	send(link->keeper, &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void close_control_locked(struct signer_link *link)
{
	if (link->control >= 0)
		close(link->control);
	link->control = -1;
}

/* False: the socket could not come with the message. */
static bool take_control_locked(struct signer_link *link, const struct signer_started *started,
				struct msghdr *message)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(message);

	close_control_locked(link);
	atomic_store(&link->generation, started->generation);
	say_ended(started->generation, started->ended);
	if (c == NULL || c->cmsg_type != SCM_RIGHTS) {
		LOG_LIMITED(LOG_LEVEL_ERROR,
			    "no descriptor is left for the signer: another one is started");
		ask_for_another_locked(link, started->generation);
		return false;
	}
	memcpy(&link->control, CMSG_DATA(c), sizeof(link->control));
	return true;
}

/* Whether the keeper has sent the control socket of another signer. */
static bool listen_locked(struct signer_link *link, int wait_ms)
{
	char passed[CMSG_SPACE(sizeof(int))];
	struct signer_started started;
	struct iovec iov = {&started, sizeof(started)};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = passed,
				 .msg_controllen = sizeof(passed)};
	struct pollfd fd = {link->keeper, POLLIN, 0};
	ssize_t n;

	if (link->over || poll(&fd, 1, wait_ms) <= 0)
		return false;
	n = recvmsg(link->keeper, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		link->over = true;
	return n == sizeof(started) && take_control_locked(link, &started, &message);
}

static void listen_to_all_locked(struct signer_link *link, int wait_ms)
{
	while (listen_locked(link, wait_ms))
		wait_ms = 0;
}

/* That one is done with. */
static void give_up(struct signer_link *link, uint32_t generation, bool hangs)
{
	pthread_mutex_lock(&link->lock);
	listen_to_all_locked(link, 0);
	if (!link->over && generation == atomic_load(&link->generation) && link->control >= 0) {
		if (hangs)
			log_error("the signer does not answer: it is ended");
		ask_for_another_locked(link, generation);
		close_control_locked(link);
	}
	pthread_mutex_unlock(&link->lock);
}

/* Channels */

static bool pass_end(int control, int end)
{
	const struct signer_request request = {.verb = SIGNER_OPEN};
	char packet[SIGNER_MESSAGE_MAX], passed[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {packet, signer_request_write(&request, packet)};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = passed,
				 .msg_controllen = sizeof(passed)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &end, sizeof(end));
	return sendmsg(control, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)iov.iov_len;
}

static bool open_over(const struct signer_link *link, struct channel *channel)
{
	const struct timeval patience = {link->patience_ms / 1000, link->patience_ms % 1000 * 1000};
	int fds[2];
	bool ok;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return false;
	ok = pass_end(link->control, fds[1]);
	close(fds[1]);
	if (!ok) {
		close(fds[0]);
		return false;
	}
	CHECK(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
	CHECK(setsockopt(fds[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0);
	channel->fd = fds[0];
	return true;
}

/* False: there is no signer now. Waits for one that is being started. */
static bool open_locked(struct signer_link *link, struct channel *channel)
{
	mono_time now = clock_mono();

	listen_to_all_locked(link, 0);
	if (link->control >= 0 && open_over(link, channel))
		return true;
	if (link->over || !mono_reached(link->pause, now))
		return false;
	listen_to_all_locked(link, SIGNER_PATIENCE_MS);
	if (link->control >= 0 && open_over(link, channel))
		return true;
	link->pause = mono_add(clock_mono(), (duration){PAUSE_MS * 1000000LL});
	return false;
}

/* NULL: there is no signer now. */
static struct channel *channel_of_thread(struct signer_link *link)
{
	struct channel *channel = pthread_getspecific(link->channel);

	if (channel == NULL) {
		channel = xcalloc(1, sizeof(*channel));
		channel->fd = -1;
		CHECK(pthread_setspecific(link->channel, channel) == 0);
	}
	if (channel->generation != atomic_load(&link->generation))
		close_channel(channel);
	if (channel->fd >= 0)
		return channel;
	pthread_mutex_lock(&link->lock);
	if (open_locked(link, channel))
		channel->generation = atomic_load(&link->generation);
	pthread_mutex_unlock(&link->lock);
	return channel->fd >= 0 ? channel : NULL;
}

/* Asking */

/* The size of the answer; 0: the signer is gone; -1: it hangs, or talks nonsense. */
static ssize_t exchange(int fd, const struct signer_request *request, void *packet)
{
	ssize_t n = (ssize_t)signer_request_write(request, packet);
	struct pollfd answer = {fd, POLLIN, 0};

	if (send(fd, packet, (size_t)n, MSG_NOSIGNAL) != n)
		return errno == EPIPE || errno == ECONNRESET ? 0 : -1;
	if (request->verb == SIGNER_LOAD)
		poll(&answer, 1, START_MS);
	do {
		n = recv(fd, packet, SIGNER_MESSAGE_MAX, 0);
	} while (n < 0 && errno == EINTR);
	return n < 0 && errno == ECONNRESET ? 0 : n;
}

static enum signer_call unanswered(struct signer_link *link)
{
	atomic_fetch_add(&link->unanswered, 1);
	return SIGNER_NO_ANSWER;
}

static void count(struct signer_link *link, enum signer_verb verb, enum signer_status status)
{
	if (verb == SIGNER_SIGN || verb == SIGNER_SIGN_BY_ID)
		atomic_fetch_add(&link->by_status[status], 1);
	atomic_store(&link->is_away, status == SIGNER_AWAY);
}

enum signer_call signer_link_ask(struct signer_link *link, const struct signer_request *request,
				 uint32_t *generation, void *packet,
				 struct signer_response *response)
{
	/* One that has died is noticed by asking it. */
	for (unsigned tries = 0; tries < 2; tries++) {
		struct channel *channel = channel_of_thread(link);
		ssize_t n;

		if (channel == NULL)
			break;
		if (*generation != 0 && *generation != channel->generation)
			return SIGNER_ANOTHER;
		n = exchange(channel->fd, request, packet);
		if (n > 0 && signer_response_parse(response, request->verb, packet, (size_t)n)) {
			*generation = channel->generation;
			count(link, request->verb, response->status);
			return SIGNER_ANSWERED;
		}
		close_channel(channel);
		give_up(link, channel->generation, n != 0);
		if (n != 0)
			break;
	}
	return unanswered(link);
}

/* The rest */

static int set_off(struct signer_link *link, const struct signer_settings *settings)
{
	struct channel *channel = NULL;

	if (send(link->keeper, settings, sizeof(*settings), MSG_NOSIGNAL) != sizeof(*settings))
		return -errno;
	pthread_mutex_lock(&link->lock);
	listen_locked(link, START_MS);
	pthread_mutex_unlock(&link->lock);
	if (link->control >= 0)
		channel = channel_of_thread(link);
	return channel != NULL ? 0 : -ETIMEDOUT;
}

struct signer_link *signer_link_create(int keeper, const struct signer_settings *settings,
				       char **error)
{
	struct signer_link *link = xcalloc(1, sizeof(*link));
	int ret;

	link->keeper = keeper;
	link->control = -1;
	link->patience_ms =
	    settings->relay.servers[0] != '\0' ? RELAY_PATIENCE_MS : SIGNER_PATIENCE_MS;
	CHECK(pthread_mutex_init(&link->lock, NULL) == 0);
	CHECK(pthread_key_create(&link->channel, end_channel) == 0);
	ret = set_off(link, settings);
	if (ret == 0)
		return link;
	*error = xasprintf("cannot be started: %s", strerrordesc_np(-ret));
	signer_link_destroy(&link);
	return NULL;
}

void signer_link_destroy(struct signer_link **linkp)
{
	struct signer_link *link = TAKE(linkp);
	void *channel;

	if (link == NULL)
		return;
	channel = pthread_getspecific(link->channel);
	if (channel != NULL)
		end_channel(channel);
	pthread_key_delete(link->channel);
	close_control_locked(link);
	close(link->keeper);
	pthread_mutex_destroy(&link->lock);
	free(link);
}

int signer_link_keeper(const struct signer_link *link)
{
	return link->keeper;
}

bool signer_link_attend(struct signer_link *link)
{
	bool over;

	/* Somebody who waits for the signer has it: he takes what comes. */
	if (pthread_mutex_trylock(&link->lock) != 0)
		return true;
	listen_to_all_locked(link, 0);
	over = link->over;
	pthread_mutex_unlock(&link->lock);
	return !over;
}

struct signer_link_counts signer_link_counts(struct signer_link *link)
{
	return (struct signer_link_counts){
	    .signatures = atomic_load(&link->by_status[SIGNER_OK]),
	    .refused = atomic_load(&link->by_status[SIGNER_REFUSED]),
	    .limited = atomic_load(&link->by_status[SIGNER_LIMITED]),
	    .failed = atomic_load(&link->by_status[SIGNER_UNKNOWN]) +
		      atomic_load(&link->by_status[SIGNER_FAILED]),
	    .away = atomic_load(&link->by_status[SIGNER_AWAY]),
	    .is_away = atomic_load(&link->is_away),
	    .unanswered = atomic_load(&link->unanswered),
	    .generation = atomic_load(&link->generation),
	};
}
