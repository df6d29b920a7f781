/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Accepting, for all that listen. Runs on its loop; owns the listening socket, its event and the
 * deadline of a hold-back. How many of those accepted there may be is the business of whom they are
 * handed to.
 */
#include "core/net/acceptor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/loop/deadline.h"
#include "core/net/sock.h"

#define ACCEPTOR_MAGIC 0x61636370u

/* Newcomers a turn, so that a flood of them does not hold up those already here. */
#define BATCH 16
/* At once again it would fail again, and the loop would do nothing else: the socket stays readable.
 * Whoever waits for a descriptor to become free waits so much longer. */
#define HOLD_BACK DUR_MS(100)

struct acceptor {
	unsigned magic;
	struct loop *loop;
	int fd;
	char *what;
	void (*accepted)(void *arg, int fd, const struct net_addr *remote);
	void *arg;
	struct event *ev;
	bool wanted; /* accepting, but for a hold-back */
	struct deadline hold_back;
	bool holds_back; /* until `hold_back` */
};

static void update(struct acceptor *a)
{
	if (a->wanted && !a->holds_back)
		CHECK(event_add(a->ev, NULL) == 0);
	else
		CHECK(event_del(a->ev) == 0);
}

static void hold_back(struct acceptor *a, int error)
{
	LOG_LIMITED(LOG_LEVEL_WARN, "cannot accept %s: %s", a->what, strerrordesc_np(error));
	deadline_set(&a->hold_back, HOLD_BACK);
	a->holds_back = true;
	update(a);
}

static void hold_back_over(struct deadline *deadline)
{
	struct acceptor *a = CONTAINER_OF(deadline, struct acceptor, hold_back);

	MAGIC_CHECK(a, ACCEPTOR_MAGIC);
	a->holds_back = false;
	update(a);
}

/* accept(2): Linux passes on what has befallen the new connection, and there is another one. */
static bool is_of_that_connection(int error)
{
	switch (error) {
	case ECONNABORTED:
	case EPROTO:
	case EPERM: /* by a firewall rule */
	case ENOPROTOOPT:
	case EOPNOTSUPP:
	case ENETDOWN:
	case ENETUNREACH:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case ENONET:
	case ETIMEDOUT:
	case ECONNRESET:
		return true;
	default:
		return false;
	}
}

/* False when there is nothing more to accept for now. */
static bool accept_one(struct acceptor *a)
{
	struct net_addr remote = {0};
	int fd = sock_accept(a->fd, &remote);

	if (fd >= 0)
		a->accepted(a->arg, fd, &remote);
	else if (fd == -EAGAIN)
		return false;
	else if (!is_of_that_connection(-fd)) {
		/* Our own shortage, mostly (sock_is_shortage()); whatever else it may be must not
		 * make us spin. */
		hold_back(a, -fd);
		return false;
	}
	return true;
}

static void acceptable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct acceptor *a = arg;

	MAGIC_CHECK(a, ACCEPTOR_MAGIC);
	for (int i = 0; i < BATCH && a->wanted; i++) {
		if (!accept_one(a))
			break;
	}
}

struct acceptor *acceptor_create(struct loop *loop, int fd, const char *what,
				 void (*accepted)(void *arg, int fd, const struct net_addr *remote),
				 void *arg)
{
	struct acceptor *a = xcalloc(1, sizeof(*a));

	LOOP_ASSERT_OWNER(loop);
	a->magic = ACCEPTOR_MAGIC;
	a->loop = loop;
	a->fd = fd;
	a->what = xstrdup(what);
	a->accepted = accepted;
	a->arg = arg;
	deadline_init(&a->hold_back, loop, hold_back_over);
	a->ev = event_new(loop_base(loop), fd, EV_READ | EV_PERSIST, acceptable_cb, a);
	CHECK(a->ev != NULL);
	return a;
}

void acceptor_start(struct acceptor *a)
{
	MAGIC_CHECK(a, ACCEPTOR_MAGIC);
	LOOP_ASSERT_OWNER(a->loop);
	a->wanted = true;
	update(a);
}

void acceptor_stop(struct acceptor *a)
{
	MAGIC_CHECK(a, ACCEPTOR_MAGIC);
	LOOP_ASSERT_OWNER(a->loop);
	a->wanted = false;
	update(a);
}

void acceptor_drain(struct acceptor *a, unsigned max)
{
	MAGIC_CHECK(a, ACCEPTOR_MAGIC);
	LOOP_ASSERT_OWNER(a->loop);
	for (unsigned i = 0; i < max; i++) {
		if (!accept_one(a))
			break;
	}
}

void acceptor_destroy(struct acceptor **ap)
{
	struct acceptor *a = TAKE(ap);

	if (a == NULL)
		return;
	MAGIC_CHECK(a, ACCEPTOR_MAGIC);
	LOOP_ASSERT_OWNER(a->loop);
	deadline_fini(&a->hold_back);
	event_free(a->ev);
	close(a->fd);
	free(a->what);
	a->magic = MAGIC_DEAD;
	free(a);
}
