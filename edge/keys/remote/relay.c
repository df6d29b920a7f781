/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See relay.h.
 */
#define LOG_MODULE LOG_TLS
#include "edge/keys/remote/relay.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "edge/keys/remote/keys_server.h"
#include "edge/keys/signer_channels.h"
#include "edge/keys/signer_message.h"

static struct {
	/* Immutable. */
	struct keys_server *servers[EDGE_RELAY_SERVERS_MAX];
	unsigned n_servers;
	/* For those who wait until one of them has been tried. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
} relay = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void server_changed(void)
{
	pthread_mutex_lock(&relay.lock);
	pthread_cond_broadcast(&relay.changed);
	pthread_mutex_unlock(&relay.lock);
}

/* Whether it is not known yet which of them answers. */
static bool is_beginning(void)
{
	bool untried = false;

	for (unsigned i = 0; i < relay.n_servers; i++) {
		enum keys_server_state state = keys_server_state(relay.servers[i]);

		if (state == KEYS_SERVER_UP)
			return false;
		untried |= state == KEYS_SERVER_UNTRIED;
	}
	return untried;
}

static void await_servers(mono_time deadline)
{
	const struct timespec until = {deadline.ns / 1000000000, deadline.ns % 1000000000};

	pthread_mutex_lock(&relay.lock);
	while (is_beginning() && !mono_reached(deadline, clock_mono()))
		pthread_cond_timedwait(&relay.changed, &relay.lock, &until);
	pthread_mutex_unlock(&relay.lock);
}

/* The first that answers. */
static size_t ask_servers(enum signer_verb verb, const void *request, size_t n, void *out)
{
	mono_time deadline = mono_add(clock_mono(), DUR_MS(EDGE_RELAY_ASK_MS));
	size_t size = 0;

	await_servers(deadline);
	for (unsigned i = 0; i < relay.n_servers && size == 0; i++) {
		if (keys_server_state(relay.servers[i]) == KEYS_SERVER_UP)
			size = keys_server_ask(relay.servers[i], verb, request, n, out, deadline);
	}
	return size;
}

/* Malloc'd. */
static char *all_faults(void)
{
	char *text = xstrdup("no server of keys answers: ");

	for (unsigned i = 0; i < relay.n_servers; i++) {
		char *fault = keys_server_fault(relay.servers[i]);
		char *longer = xasprintf("%s%s%s", text, i > 0 ? "; " : "", fault);

		free(fault);
		free(text);
		text = longer;
	}
	return text;
}

static size_t answer(const void *packet, size_t n, void *out)
{
	struct signer_request request;
	size_t size;
	char *why;

	if (!signer_request_parse(&request, packet, n) ||
	    (request.verb != SIGNER_FIND && request.verb != SIGNER_SIGN_BY_ID))
		return 0;
	size = ask_servers(request.verb, packet, n, out);
	if (size > 0)
		return size;
	why = all_faults();
	size = signer_response_write(
	    &(struct signer_response){.status = SIGNER_AWAY, .content = span_of(why)}, request.verb,
	    out);
	free(why);
	return size;
}

/* The text is cut into names, which stay. */
static void create_servers(char *names, const struct wire_files *files)
{
	char *rest = names, *name;

	while ((name = strsep(&rest, " ")) != NULL && relay.n_servers < EDGE_RELAY_SERVERS_MAX) {
		struct keys_server *server = keys_server_create(name, files, server_changed);

		if (server != NULL)
			relay.servers[relay.n_servers++] = server;
		else
			log_error("the server of keys %s cannot be looked after", name);
	}
}

int edge_relay_main(int argc, char **argv)
{
	pthread_condattr_t monotonic;

	if (argc != 6)
		return 2;
	prctl(PR_SET_NAME, EDGE_RELAY_NAME);
	signer_protect();
	CHECK(pthread_condattr_init(&monotonic) == 0);
	CHECK(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
	CHECK(pthread_cond_init(&relay.changed, &monotonic) == 0);
	/* Nobody who waits for a signature waits for whoever reads the log. */
	if (!log_start_writer())
		return 1;
	create_servers(argv[2], &(struct wire_files){argv[3], argv[4], argv[5]});
	signer_channels_serve((int)strtol(argv[1], NULL, 10), answer);
	_exit(0);
}
