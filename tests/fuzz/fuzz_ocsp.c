/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fuzzes the question to an OCSP responder. The input is a URL, as a certificate names it, and
 * after a line feed all that comes back. What must hold: what is sent is one request and no more,
 * and there is an answer of a bounded length or a reason why not.
 *
 * Sockets are pairs here, with the input in them and then their end.
 */
#include "tests/fuzz/fuzz.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/check.h"
#include "edge/tls/ocsp_http.h"

static struct addrinfo info;
static int ours, theirs;

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
		struct addrinfo **list)
{
	CHECK(strlen(name) > 0 && strlen(service) > 0);
	*list = &info;
	return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
	CHECK(list == &info);
}

int socket(int domain, int type, int protocol)
{
	return theirs;
}

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
	CHECK(fd == theirs);
	return 0;
}

static void open_pair(const uint8_t *response, size_t n)
{
	const int room = 1 << 20;
	int fds[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	ours = fds[0];
	theirs = fds[1];
	CHECK(setsockopt(ours, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)) == 0);
	/* What has no room is as if it had not come. */
	CHECK(n == 0 || send(ours, response, n, 0) > 0);
	CHECK(shutdown(ours, SHUT_WR) == 0);
}

/* Five fields after the request line, then nothing but the question. */
static void check_sent(void)
{
	char sent[128 * 1024];
	ssize_t n = recv(ours, sent, sizeof(sent) - 1, 0);
	unsigned lines = 0;

	if (n <= 0)
		return;
	sent[n] = '\0';
	CHECK(strlen(sent) == (size_t)n && strncmp(sent, "POST /", 6) == 0);
	for (const char *p = strstr(sent, "\r\n"); p != NULL; p = strstr(p + 2, "\r\n"))
		lines++;
	CHECK(lines == 7);
	CHECK(strcmp(strstr(sent, "\r\n\r\n"), "\r\n\r\n?") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const gnutls_datum_t question = {(unsigned char *)"?", 1};
	const uint8_t *end = memchr(data, '\n', size);
	gnutls_datum_t answer = {NULL, 0};
	char *url, *error;

	if (end == NULL)
		return 0;
	url = xasprintf("%.*s", (int)(end - data), (const char *)data);
	open_pair(end + 1, size - (size_t)(end + 1 - data));
	error = ocsp_http_ask(url, &question, -1, &answer);
	CHECK((error == NULL) == (answer.data != NULL) && answer.size <= 64 * 1024);
	check_sent();
	if (error != NULL && strstr(error, "is no URL") != NULL)
		close(theirs);
	close(ours);
	free(answer.data);
	free(error);
	free(url);
	return 0;
}
