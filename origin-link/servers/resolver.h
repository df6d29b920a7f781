/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Names kept resolved: a watch asks for the addresses of one name, again when their TTL has passed,
 * and the last good answer stays good through failures, for a stated time. Control loop only.
 *
 * The system's files are followed: when resolv.conf or the hosts file changes, all names are looked
 * up anew within a second or so. One that cannot be read, or is no regular file, changes nothing.
 */
#pragma once

#include "config/origin.h"
#include "core/base/addr.h"
#include "origin-link/servers/gather.h"
#include "origin-link/servers/srv_answer.h"

struct loop;
struct metrics;

struct resolver;
struct resolver_watch;

/* Where name servers are found; what is not set is the system's. */
struct resolver_sources {
	const char *resolv_conf; /* must outlive the resolver */
	uint16_t port;
};

/* `sources` may be NULL. Counts into `metrics`. */
struct resolver *resolver_create(struct loop *control, struct metrics *metrics,
				 const struct resolver_sources *sources);
/* After every watch was destroyed. */
void resolver_destroy(struct resolver **resolver);
/* Reads the files again and looks all names up anew, at the end of this turn. */
void resolver_start_over(struct resolver *resolver);

/* How a resolution has ended. */
enum resolver_end {
	RESOLVER_PENDING, /* the first one has not */
	RESOLVER_FOUND,
	RESOLVER_NO_SERVICE,   /* SRV records say that there is none */
	RESOLVER_NO_SUCH_NAME, /* a name server says that there is none (NXDOMAIN) */
	RESOLVER_NO_ADDRESS,   /* that it has no address, or only some that nobody can use */
	RESOLVER_NO_ANSWER,    /* none has answered; or that it cannot say, or what is no answer */
};
const char *resolver_end_text(enum resolver_end end);

enum resolver_news {
	NAME_FOUND,   /* these are its addresses */
	NAME_KEPT,    /* it could not be resolved: what was found before stays valid */
	NAME_EXPIRED, /* nor for as long as it may be kept: nothing is valid any more. Told once */
};

/* Called after every resolution; the addresses, NAME_FOUND only, are sorted. A resolution that our
 * own shortage of descriptors has prevented is not told, only counted, and tried again soon. For an
 * IP literal it is called once, before resolver_watch_create() returns. */
typedef void resolver_result(void *arg, enum resolver_news news, const struct net_addr *addrs,
			     unsigned n);

/* The same for SRV records, until nobody needs them any more than until the end of the call.
 * NAME_FOUND with none: there is no such service, decidedly. */
typedef void resolver_services(void *arg, enum resolver_news news, const struct srv_record *v,
			       unsigned n);

struct resolver_question {
	const char *host;                /* copied */
	uint16_t port;                   /* of the addresses */
	const struct cfg_resolve *terms; /* copied */
	/* Another watch of the same name, whose addresses the caller uses until this one has some:
	 * they expire as if it had found them. NULL: none. */
	const struct resolver_watch *before;
};
struct resolver_watch *resolver_watch_create(struct resolver *resolver,
					     const struct resolver_question *question,
					     resolver_result *on_result, void *arg);
/* For SRV records; neither `port` nor a family matters. */
struct resolver_watch *resolver_watch_services(struct resolver *resolver,
					       const struct resolver_question *question,
					       resolver_services *on_services, void *arg);
void resolver_watch_destroy(struct resolver_watch **watch);

struct resolver_facts {
	bool is_literal; /* and nothing else of this is known */
	enum resolver_end last;
	mono_time since; /* when that came to be so: the first of those in a row */
	bool has;        /* addresses that have been found, and may be used */
	mono_time found; /* when */
};
struct resolver_facts resolver_watch_facts(const struct resolver_watch *watch);
