/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The field that two edges of a fleet tell each other things by, on connections where both have
 * shown that they are such. Taken from nobody else, and never passed on. Pure; any thread.
 *
 * In a request, to the relay: which origin it is for, and what its sender has agreed to wait for,
 * in milliseconds, so that the relay does not give up before it does:
 *
 *   Perigee-Relay: app;response=30000;idle=30000;retries=1;server=0123456789abcdef
 *
 * and, where the client has been with a server before, by what that is known at all edges.
 *
 * In a response that is the relay's own and no origin's: why there is no other, and whether it is
 * certain that no server has acted upon the request, so that it can be sent elsewhere whatever its
 * method:
 *
 *   Perigee-Relay: origin-connect-refused;unacted
 */
#pragma once

#include "core/base/clock.h"
#include "core/base/reason.h"
#include "core/http/message.h"

#define RELAY_FIELD "Perigee-Relay"

/* Which content that means nothing is got by, and how much of it there is: the window of who sends
 * has grown to nearly as much then, and 1 MB fits into it even if some of the last flight is not
 * counted. By a connection each hour that is 5 kbit/s. */
#define RELAY_FILLING_TARGET "/.well-known/perigee/filling"
#define RELAY_FILLING (2 * 1024 * 1024)

/* How long such a connection is kept that nobody uses: for as long as most of them live anyhow (the
 * default of pool.max_age). Who has opened it closes it, unless that has vanished. */
#define RELAY_IDLE DUR_S(3600)

struct relay_order {
	struct span origin; /* points into the field */
	duration response, idle;
	unsigned retries;
	bool has_server;
	uint64_t server;
};

/* A name of an origin, and four numbers. */
#define RELAY_ORDER_MAX 192
size_t relay_order_write(const struct relay_order *order, char text[RELAY_ORDER_MAX]);
bool relay_order_parse(struct span value, struct relay_order *order);

struct relay_answer {
	enum reason reason;
	bool unacted;
};

#define RELAY_ANSWER_MAX 64
size_t relay_answer_write(const struct relay_answer *answer, char text[RELAY_ANSWER_MAX]);
/* What it does not know is REASON_ORIGIN_MALFORMED: the other edge may be newer. */
struct relay_answer relay_answer_parse(struct span value);
