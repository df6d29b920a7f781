/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the parts of conns/ share: conns.c (a loop's side, and the mail between loops), endpoint.c,
 * origin_conn.c (one connection), h2/shared.c (one of HTTP/2), lease.c (its use), sharing.c (who
 * gets what becomes free), quota.c (what all servers of an origin have together), warm.c. Nobody
 * else includes this, but for their tests.
 *
 * Who refers to an endpoint when control has given it up: leases and listed slots (pins),
 * connections (open), mail (mails). endpoint.c says why it can tell when nobody does.
 */
#pragma once

#include <stdatomic.h>
#include <sys/queue.h>

#include "core/net/stream.h"
#include "origin-link/conns/conns.h"
#include "origin-link/conns/counters.h"
#include "origin-link/conns/endpoint.h"
#include "origin-link/conns/expiry.h"
#include "origin-link/conns/lease.h"
#include "origin-link/conns/load.h"
#include "origin-link/conns/outcome.h"
#include "origin-link/conns/patience.h"
#include "origin-link/conns/quota.h"
#include "origin-link/conns/warmth.h"

#define CACHE_LINE 64

TAILQ_HEAD(origin_conn_list, origin_conn);

/* Each of what may be thousands is looked for when servers are read. */
#define ENDPOINT_BUCKETS 4096

struct conns_node {
	_Atomic unsigned refs; /* of its creator, of mail and of graces */
	/* Idle connections of each side, for all its endpoints: control sets it, any loop reads. */
	_Atomic unsigned idle_limit;
	/* immutable while loops run */
	struct loop_group *group;
	struct metrics *metrics;
	unsigned n_loops;
	struct conns **sides; /* by loop index; NULL: that loop takes no leases */
	/* control */
	LIST_HEAD(, endpoint) endpoints;
	LIST_HEAD(, endpoint) given_up; /* of these, those that have no refs */
	LIST_HEAD(, endpoint) endpoints_by_id[ENDPOINT_BUCKETS];
	LIST_HEAD(, quota) quotas[QUOTA_BUCKETS]; /* by name */
	unsigned next_warm;                       /* which side is to open the next connection */
	bool is_over;                             /* loops and sides are gone, mail may be left */
	unsigned warm_pass;                       /* see warm.c */
	unsigned n_warm_orders;
	/* They wait until fewer orders are under way, in order of arrival. */
	TAILQ_HEAD(, endpoint) warm_waiting;
	/* Control counts it up now and then; each loop's most that are in use begins anew then. */
	_Alignas(CACHE_LINE) _Atomic unsigned use_period;
};

struct conns {
	unsigned magic;
	struct conns_node *node;
	struct stream_buffers *buffers;
	struct loop *loop;
	unsigned index;
	struct event *tick;
	LIST_HEAD(, endpoint_slot) slots; /* all with idle ones or sessions, and some that had */
	struct origin_conn_list idle; /* of all slots, of HTTP/2 too; most recently used first */
	struct origin_conn_list sessions; /* all of HTTP/2, whether they take requests or not */
	TAILQ_HEAD(, lease) lacking;      /* queued for a place of a quota, in order of arrival */
	uint64_t n_leases;                /* taken so far: the last one's number */
	LIST_HEAD(, warm_dial) warm_dials;
	/* its loop writes, control reads */
	_Atomic unsigned n_idle, n_warm_dials;
};

/* How wide the window of a connection over a long path is known to be: by how many flights the
 * longest response has come, for a new connection begins with 10 packets and with twice as many
 * after each round trip (RFC 6928, RFC 5681). 0: by one, or not known; the last: by so many or
 * more, which is 0.9 MB. Over a short path, where that matters to nobody, all have 0. */
#define CONN_WIDTHS 7
/* A path is long from here on: a round trip more is felt there, and is a hundred times what it
 * costs to get a wider connection from another loop. */
#define CONN_FAR DUR_MS(10)

/* What one loop has of an endpoint. */
struct endpoint_slot {
	/* its loop writes, any reads */
	_Alignas(CACHE_LINE) _Atomic int64_t pins;
	_Atomic unsigned n_idle, n_waiting; /* queued leases; those that only ask do not count */
	_Atomic unsigned n_leaving;         /* of the idle ones, those that end soon */
	_Atomic unsigned n_wide;            /* of the idle ones, those with another width than 0 */
	/* The most leases at a time in that period. */
	_Atomic unsigned most_in_use, use_period;
	struct load load;
	_Atomic unsigned n_shared;               /* connections of HTTP/2 that take requests */
	_Atomic(struct outcome_counts *) counts; /* NULL: this loop has had nothing to do with it */
	/* its loop */
	struct endpoint *endpoint;
	struct origin_conn_list shared;  /* see h2/shared.c */
	TAILQ_HEAD(, lease) waiters;     /* asking, joining and queued, in order of arrival */
	unsigned opening;                /* connections being made that may be of HTTP/2 */
	unsigned joining;                /* leases that wait for one of those */
	unsigned favoured;               /* see sharing.c */
	bool asks_for_place, asks_again; /* see sharing_ask_for_place() */
	mono_time lost_until;            /* see endpoint_is_avoided() */
	bool listed;                     /* in conns->slots, and pinned for that */
	LIST_ENTRY(endpoint_slot) link;
	struct origin_conn_list idle[CONN_WIDTHS]; /* most recently used first */
};

struct endpoint {
	unsigned magic;
	/* immutable */
	struct conns_node *node;
	struct net_addr addr;
	uint64_t id;
	struct transport *transport;
	/* control */
	LIST_ENTRY(endpoint) link, link_by_id;
	LIST_ENTRY(endpoint) given_up_link;
	unsigned refs;
	unsigned memories; /* see endpoint_remember() */
	unsigned graces;   /* under way since it was given up */
	struct warmth warmth;
	struct patience patience;
	struct lease_terms warm_terms;
	unsigned warm_spare, warm_pass; /* how many are wanted, and when that was said */
	bool waits_to_order;            /* in node->warm_waiting */
	TAILQ_ENTRY(endpoint) warm_link;
	/* any loop; written when a connection comes or goes or somebody waits, read by every lease
	 */
	_Alignas(CACHE_LINE) _Atomic unsigned open;
	_Atomic unsigned waiting;
	_Atomic unsigned dialling; /* of those that are open, those that are being made */
	_Atomic unsigned ordered;  /* connections that loops have been told to open, in the mail */
	_Atomic unsigned warming;  /* the same, and those that they are opening */
	_Atomic unsigned spare;    /* idle ones that there should be; 0: any number */
	_Atomic unsigned target;   /* open ones that there should be; 0: any number */
	_Atomic bool keeps_warm, is_warm; /* see endpoint_is_cold() */
	_Atomic bool is_far;              /* by the last connection that was made */
	_Atomic int64_t idle_most;        /* duration: see patience.h; 0: not known */
	_Atomic bool is_short;            /* control was told, and has not looked yet */
	_Atomic unsigned mails;
	_Atomic int64_t suspect_until; /* mono_time; 0: it is not */
	_Atomic unsigned suspected;    /* how often since a connection was made */
	_Atomic int last_failure;      /* enum reason */
	_Atomic bool retired;
	_Atomic int speaks;          /* enum speaks */
	_Atomic unsigned h2_streams; /* that its last session was allowed; 0: not known */
	/* each loop its own */
	struct endpoint_slot slots[]; /* by loop index */
};

/* What a server has turned out to speak the last time that it was connected to. */
enum speaks {
	SPEAKS_UNKNOWN,
	SPEAKS_H1,
	SPEAKS_H2,
	SPEAKS_H1_ONLY, /* though it has agreed to HTTP/2: HTTP_1_1_REQUIRED (RFC 9113 section 7) */
};

static inline void endpoint_speaks(struct endpoint *e, enum speaks speaks)
{
	if (atomic_load_explicit(&e->speaks, memory_order_relaxed) != (int)speaks)
		atomic_store_explicit(&e->speaks, speaks, memory_order_relaxed);
}

static inline struct endpoint_slot *endpoint_slot(struct endpoint *e, const struct conns *c)
{
	return &e->slots[c->index];
}

/* One more or less of what only its own loop writes. */
static inline void conns_add(_Atomic unsigned *count, int n)
{
	atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

static inline void conns_count(const struct conns *c, enum olink_counter id, int n)
{
	metrics_add(c->node->metrics, c->loop, id, n);
}

/* conns.c */

void conns_node_ref(struct conns_node *node);
void conns_node_unref(struct conns_node *node);

enum warm_news {
	WARM_SHORT, /* fewer are idle than should be */
	WARM_OPENED,
	WARM_FAILED,
	WARM_PREVENTED, /* by our own limits or shortage */
	WARM_BROKEN,    /* one was ended by the server as soon as it was made */
	WARM_ENDED,     /* one was, when it had been idle for longer */
};

/* A letter from one loop to another about an endpoint. */
struct conns_mail {
	struct conns_node *node;
	struct endpoint *endpoint;
	unsigned from, to;
	/* On the loop that it was sent to; has to end it with conns_mail_end() or send it on. */
	void (*deliver)(struct conns *c, struct conns_mail *mail);
	struct origin_conn *conn; /* parked; NULL: none comes with it */
	struct quota *quota;      /* of which a place is free, or is asked for */
	unsigned n_hops;          /* loops that had no use for that place, or none to give */
	bool served;              /* one had */
	struct lease *lease; /* of the loop that asked: NULL once it does not want it any more */
	bool wide;           /* only such a one is wanted: narrow ones it has itself */
	struct lease_terms terms; /* of a connection to be opened ahead of need */
	/* What has come of that, told to control, which need not have a side; NULL: other mail. */
	void (*told)(struct conns_mail *mail);
	enum warm_news news;
	duration idle; /* of the connection that was WARM_ENDED */
};

struct conns_mail *conns_mail_create(struct endpoint *e, unsigned from,
				     void (*deliver)(struct conns *c, struct conns_mail *mail));
/* Once, or again by whoever it was delivered to. */
void conns_mail_post(struct conns_mail *mail, unsigned to);
/* Frees it. What it refers to may be gone then, unless the caller has another hold on it. */
void conns_mail_end(struct conns_mail *mail);
/* A slot is looked through at every tick, and pinned for that, while it has something. */
void conns_list_slot(struct conns *c, struct endpoint_slot *slot);
/* As many connections are idle on that side, or are to be, as may be. Its loop, or control. */
bool conns_is_full(const struct conns *c);
/* Closes the idle connections of a retired endpoint. */
void conns_close_retired(struct conns *c, struct conns_mail *mail);

/* endpoint.c */

/* Room for one more connection, here and among those of its origin; given back by sharing_release()
 * when it is closed or has not come about. */
enum room {
	ROOM_TAKEN,
	ROOM_NONE_HERE,   /* as many of this endpoint are open as may be */
	ROOM_NONE_IN_ALL, /* as many of the origin (terms->quota) */
};
enum room endpoint_reserve(struct conns *c, struct endpoint *e, const struct lease_terms *terms);
void endpoint_release(struct endpoint *e);
unsigned endpoint_idle(const struct endpoint *e);
/* Of these, those that end soon. */
unsigned endpoint_leaving(const struct endpoint *e);
/* Of the calling loop's slot; made when there are none. */
struct outcome_counts *endpoint_counts(struct endpoint_slot *slot);
void endpoint_free(struct endpoint *e);

/* origin_conn.c */

enum conn_state {
	CONN_FREE,     /* between two others; within one call */
	CONN_IDLE,     /* in its slot's list */
	CONN_PROMISED, /* to `lease`, which is told at the end of the turn */
	CONN_HELD,     /* by a lease, whose stream callbacks are set; otherwise they are our own */
	CONN_MAILED,   /* parked, on its way between loops: no `conns` */
	CONN_SHARED,   /* of HTTP/2: has a session, and leases as its users */
	CONN_SHARED_IDLE, /* the same without users, and not in a callback of its session */
};

struct origin_conn {
	unsigned magic;
	enum conn_state state;
	struct endpoint *endpoint;
	struct conns *conns;
	struct stream *stream;
	struct lease *lease;                      /* PROMISED */
	TAILQ_ENTRY(origin_conn) link, side_link; /* IDLE, SHARED_IDLE */
	TAILQ_ENTRY(origin_conn) session_link;    /* SHARED, SHARED_IDLE: in conns->sessions */
	/* SHARED, SHARED_IDLE */
	struct origin_h2 *h2;
	bool takes;       /* requests: it is in slot->shared, by `link` */
	bool is_done;     /* by our own wish it takes no more */
	unsigned n_users; /* leases that hold it, or were promised it */
	/* When it began to take requests, for how long it does so at least though others wait for
	 * its place, and until when it takes none for their sake; 0: it does. */
	mono_time turn_began;
	duration turn;
	mono_time pauses_until;
	struct widening *widening; /* of a link to a relay; or NULL */
	struct quota *quota;       /* that it has a place of; NULL: of none */
	struct expiry expiry;
	unsigned max_idle;        /* as its last user said */
	bool moved;               /* to another loop since it was last used */
	bool leaving;             /* IDLE: it ends soon, and is counted as such */
	unsigned width;           /* see CONN_WIDTHS */
	uint64_t received_before; /* HELD: bytes, before its user had it */
};

/* FREE. Room was reserved, by terms with that quota. Consumes the stream; with the room when memory
 * is gone: then NULL. */
struct origin_conn *origin_conn_create(struct conns *c, struct endpoint *e, struct quota *quota,
				       struct stream *stream);
/* HELD, PROMISED or new to FREE. `terms`: of its last user, if it was used. */
void origin_conn_freed(struct origin_conn *conn, const struct lease_terms *terms);
/* FREE to IDLE. */
void origin_conn_idle(struct origin_conn *conn);
/* IDLE to FREE: of the widest of the slot the most recently used one that has not expired, or one
 * that would expire and is to stay; NULL: there is none. */
struct origin_conn *origin_conn_take_idle(struct conns *c, struct endpoint *e);
/* FREE. The narrowest of the idle ones of its slot that are narrower than it, and of these the
 * least recently used; NULL: none is. */
struct origin_conn *origin_conn_narrower(const struct origin_conn *conn);
/* FREE to PROMISED. */
void origin_conn_promise(struct origin_conn *conn, struct lease *l);
/* FREE or PROMISED to HELD: `ops` are called from now on. */
void origin_conn_hold(struct origin_conn *conn, const struct stream_ops *ops, void *arg);
/* FREE to SHARED, and between that and SHARED_IDLE. */
void origin_conn_shared(struct origin_conn *conn, const struct lease_terms *terms);
void origin_conn_shared_idle(struct origin_conn *conn);
void origin_conn_shared_busy(struct origin_conn *conn);
/* As its last user wants it to be kept. */
void origin_conn_set_terms(struct origin_conn *conn, const struct lease_terms *terms);
/* FREE to MAILED, and back on another loop. */
void origin_conn_park(struct origin_conn *conn);
void origin_conn_unpark(struct origin_conn *conn, struct conns *c);
/* FREE or PROMISED, with our own callbacks: a look at the socket and what is unread. */
bool origin_conn_is_alive(struct origin_conn *conn);
/* Whether it ends soon, as its slot counts them: another is to be there then. */
void origin_conn_set_leaving(struct origin_conn *conn, bool leaving);
/* Nothing is in the socket, not even its end, that has not been read yet. */
bool origin_conn_is_quiet(const struct origin_conn *conn);
/* Any state but MAILED. Somebody may be waiting for the room: sharing.c is told. `why` are words
 * for the log. */
void origin_conn_close(struct origin_conn *conn, const char *why);
/* The room stays reserved, for the caller: a place of the quota that is returned. */
struct quota *origin_conn_close_keep_room(struct origin_conn *conn, const char *why);
/* MAILED; nobody is there who could be told of the room. */
void origin_conn_drop(struct origin_conn *conn);
/* IDLE or FREE: its time is over. */
void origin_conn_close_expired(struct origin_conn *conn);
/* What has expired in a slot; what soon will is counted as leaving. */
void origin_conn_close_expired_idle(struct conns *c, struct endpoint_slot *slot);
/* All that is idle in a slot. */
void origin_conn_close_idle(struct conns *c, struct endpoint_slot *slot, enum olink_counter counter,
			    const char *why);

/* The one of the side that nobody has used for longest, whatever its endpoint: somebody else needs
 * its descriptor. False: none is idle. */
bool origin_conn_close_oldest_idle(struct conns *c);
/* The same, of those that have a place of that quota: the place is needed. */
bool origin_conn_give_way(struct conns *c, const struct quota *q);

/* What has come of an attempt to connect, for counters, status and suspicion. */
void origin_conn_opened(struct conns *c, struct endpoint *e, const struct stream *stream);
void origin_conn_failed(struct conns *c, struct endpoint *e, enum reason reason);

/* lease.c: what becomes of leases that wait */

/* ASKS or QUEUED: a connection is free (FREE). */
void lease_promise(struct lease *l, struct origin_conn *conn);
/* PROMISED: it has just been closed by the origin; its room is the lease's, with that place. */
void lease_promise_broken(struct lease *l, struct quota *place);
/* There may be room: those in the slot's queue take it in their order. False: none has. */
bool lease_serve_queue(struct endpoint_slot *slot);
/* There may be a place of that quota. False: nobody here had use for it. */
bool lease_serve_lacking(struct conns *c, const struct quota *q);
/* ASKS or QUEUED: the other loop has answered, with one (FREE) or with none (NULL). */
void lease_answered(struct lease *l, struct origin_conn *conn);

/* A connection is there, or there is none, that may have been of HTTP/2 (slot->opening): those that
 * join are served, look elsewhere, or fail with `reason` when nothing else is on its way. */
void lease_opening_ended(struct conns *c, struct endpoint *e, enum reason reason,
			 const char *detail);
/* There may be room in a connection of HTTP/2. */
void lease_serve_shared(struct endpoint_slot *slot);

/* h2/shared.c */

/* FREE, and of HTTP/2, to SHARED. `terms`: of whom it was made for. False when memory is gone: it
 * is closed. */
bool shared_begin(struct origin_conn *conn, const struct lease_terms *terms);
/* Its session goes. */
void shared_fini(struct origin_conn *conn);
/* Whether a connection that was made turned out to be of HTTP/2, which its endpoint remembers. */
bool shared_is_h2(struct endpoint *e, const struct stream *stream, bool h1_only);
/* How many requests a new one is likely to carry at once. */
unsigned shared_room_expected(const struct endpoint *e);
/* What is to be asked for: a server may have said that it wants HTTP/1.1, or may know nothing else
 * than HTTP/2. */
enum lease_protocol shared_protocol(const struct endpoint *e, enum lease_protocol wanted);
bool endpoint_may_speak_h2(const struct endpoint *e);
/* One user more. */
void shared_enter(struct origin_conn *conn);
/* A place in one that suits the lease, which becomes its user; NULL: there is none. Closes none. */
struct origin_conn *shared_take(struct lease *l);
void shared_give(struct origin_conn *conn, const struct lease_terms *terms);
void shared_close_expired(struct conns *c, struct endpoint_slot *slot);
/* Somebody waits who cannot use those of that slot: one that nobody uses is closed. False: none. */
bool shared_give_way(struct endpoint_slot *slot);
/* Those that have given way in vain for long enough take requests again. */
void shared_end_pauses(struct conns *c);
/* All of the side, which has no leases any more. */
void shared_close_all(struct conns *c);
/* None of the slot takes requests any more; those without users are closed. */
void shared_retire_all(struct conns *c, struct endpoint_slot *slot, enum olink_counter counter,
		       const char *why);

/* sharing.c */

/* Leases of another loop are queued for the endpoint. */
bool sharing_others_wait(const struct endpoint *e, unsigned self);
/* Asks a loop with wide idle connections, or else with the most, for one of them. False when there
 * are none. */
bool sharing_ask(struct lease *l);
/* What is idle here is narrow: asks a loop that has a wide one. False when it is not so. */
bool sharing_ask_for_wider(struct lease *l);
void sharing_forget_question(struct lease *l);
/* Somebody is queued in that slot: asks for the place of a session of any loop that nobody uses. */
void sharing_ask_for_place(struct conns *c, struct endpoint_slot *slot);
/* The next that becomes free is for another loop that waits. */
void sharing_turn_is_over(struct endpoint_slot *slot);
/* A connection of the side has become idle: others may need its place. */
void sharing_became_idle(struct conns *c, struct quota *q);
/* A connection is FREE: it goes to a waiter of its loop, or to a loop with waiters, or idle. */
void sharing_conn_free(struct origin_conn *conn);
/* Gives room back: somebody who waits for it, here or for the quota's place, may take it. */
void sharing_release(struct conns *c, struct endpoint *e, struct quota *q);
/* QUEUED for a place of a quota: has the loop with the most idle connections of it close one. */
void sharing_ask_to_give_way(const struct lease *l);
/* A place of a quota was given back: who waits for one is told, by mail. */
void sharing_quota_room(struct conns *c, struct endpoint *e, struct quota *q);

/* warm.c */

/* One more of this loop's, if there is room: for requests that are to be expected. */
void warm_open(struct conns *c, struct endpoint *e, const struct lease_terms *terms);
void warm_cancel(struct conns *c);
/* Control: it is about to be freed. */
void warm_forget(struct endpoint *e);
/* One was taken or closed: whether enough are idle still; if not, control is told. */
void warm_check(struct endpoint *e);
/* One of that slot was ended by the server when it had been idle for so long; before it is closed,
 * on the slot's loop. */
void warm_ended(struct endpoint_slot *slot, const struct loop *loop, duration idle, bool unused);
