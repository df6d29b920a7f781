/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See polled_origin.h.
 */
#include "tests/support/polled_origin.h"

#include <sys/socket.h>
#include <unistd.h>

#include "core/base/check.h"

void polled_origin_open(struct polled_origin *o)
{
	socklen_t len = sizeof(o->addr.in);

	*o = (struct polled_origin){.conn = -1};
	o->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	CHECK(o->listener >= 0);
	CHECK(net_addr_parse("127.0.0.1:0", 0, &o->addr));
	CHECK(bind(o->listener, &o->addr.sa, len) == 0 && listen(o->listener, 64) == 0);
	CHECK(getsockname(o->listener, &o->addr.sa, &len) == 0);
}

void polled_origin_close(struct polled_origin *o)
{
	polled_origin_drop(o, false);
	close(o->listener);
}

bool polled_origin_accept(struct polled_origin *o)
{
	int fd = accept4(o->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return false;
	polled_origin_drop(o, false);
	o->conn = fd;
	return true;
}

ssize_t polled_origin_read(struct polled_origin *o, void *buf, size_t len)
{
	return o->conn < 0 ? -1 : recv(o->conn, buf, len, 0);
}

size_t polled_origin_send(struct polled_origin *o, const void *data, size_t len)
{
	ssize_t n = o->conn < 0 ? -1 : send(o->conn, data, len, MSG_NOSIGNAL);

	return MAX(n, 0);
}

void polled_origin_end_writing(struct polled_origin *o)
{
	if (o->conn >= 0)
		shutdown(o->conn, SHUT_WR);
}

void polled_origin_drop(struct polled_origin *o, bool reset)
{
	struct linger now = {.l_onoff = 1};

	if (o->conn < 0)
		return;
	if (reset)
		setsockopt(o->conn, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(o->conn);
	o->conn = -1;
}
