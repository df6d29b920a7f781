/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A responder of several addresses, some of which are dead. Names are looked up here instead of by
 * the system.
 */
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/tls/ocsp_http.h"

static struct sockaddr_in addresses[2];
static struct addrinfo infos[2];

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
		struct addrinfo **list)
{
	for (unsigned i = 0; i < ARRAY_SIZE(infos); i++)
		infos[i] = (struct addrinfo){.ai_family = AF_INET,
					     .ai_addr = (struct sockaddr *)&addresses[i],
					     .ai_addrlen = sizeof(addresses[i]),
					     .ai_next = i == 0 ? &infos[1] : NULL};
	*list = infos;
	return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
}

static int listen_on(struct sockaddr_in *address, int backlog)
{
	socklen_t size = sizeof(*address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*address =
	    (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	CHECK(bind(fd, (struct sockaddr *)address, size) == 0 && listen(fd, backlog) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)address, &size) == 0);
	return fd;
}

/* Connections that nobody accepts: the next ones get no answer. */
static void fill(const struct sockaddr_in *address, int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		CHECK(fds[i] >= 0);
		(void)connect(fds[i], (const struct sockaddr *)address, sizeof(*address));
	}
}

static void *answer(void *arg)
{
	static const char response[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
	int fd = accept(*(int *)arg, NULL, NULL);
	char question[4096];

	if (recv(fd, question, sizeof(question), 0) > 0)
		CHECK(send(fd, response, strlen(response), 0) == (ssize_t)strlen(response));
	if (fd >= 0)
		close(fd);
	return NULL;
}

static void test_dead_address_leaves_time_for_the_next(void **state)
{
	const gnutls_datum_t question = {(unsigned char *)"?", 1};
	gnutls_datum_t content = {NULL, 0};
	int dead = listen_on(&addresses[0], 0), alive = listen_on(&addresses[1], 1), waiting[4];
	pthread_t thread;
	char *error;

	fill(&addresses[0], waiting, ARRAY_SIZE(waiting));
	CHECK(pthread_create(&thread, NULL, answer, &alive) == 0);
	error = ocsp_http_ask("http://responder.test/", &question, -1, &content);
	shutdown(alive, SHUT_RDWR); /* in case that it was not asked */
	if (error != NULL)
		fail_msg("%s", error);
	CHECK(pthread_join(thread, NULL) == 0);
	assert_int_equal(content.size, 5);
	assert_memory_equal(content.data, "hello", 5);
	free(content.data);
	for (unsigned i = 0; i < ARRAY_SIZE(waiting); i++)
		close(waiting[i]);
	close(dead);
	close(alive);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_dead_address_leaves_time_for_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
