/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From SRV records to addresses. Owns a watch of the records and one of each target. When records
 * change, those targets that are in them no more go on until all that are new have been looked up,
 * and one of them has an address: what names a server cannot be worse for being half-way known.
 */
#include "origin-link/servers/service.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/check.h"
#include "core/loop/loop.h"

#define SERVICE_MAGIC 0x5e871ceau

struct target {
	struct service *service;
	TAILQ_ENTRY(target) link;
	struct srv_record record;
	struct resolver_watch *watch;
	bool settled; /* looked up once, well or not */
	bool wanted;  /* while records are set */
	bool leaves;  /* it is not in the records any more */
	unsigned n;
	struct net_addr addrs[RESOLVER_ADDRS_MAX];
};

struct service {
	unsigned magic;
	struct loop *loop;
	struct resolver *resolver;
	struct cfg_resolve terms;
	service_result *on_result;
	void *arg;
	struct resolver_watch *watch;
	bool known;   /* the first look at the records has ended, well or not */
	bool expired; /* nothing is valid any more, which is still to be told */
	TAILQ_HEAD(target_list, target) targets;
	unsigned n_leaving;
	struct loop_task tell;
};

/* Targets */

static void target_destroy(struct target *t)
{
	TAILQ_REMOVE(&t->service->targets, t, link);
	t->service->n_leaving -= t->leaves;
	resolver_watch_destroy(&t->watch);
	free(t);
}

static void target_resolved(void *arg, enum resolver_news news, const struct net_addr *addrs,
			    unsigned n)
{
	struct target *t = arg;
	struct service *s = t->service;

	MAGIC_CHECK(s, SERVICE_MAGIC);
	t->settled = true;
	if (news != NAME_KEPT) {
		t->n = n;
		if (n > 0)
			memcpy(t->addrs, addrs, n * sizeof(*addrs));
	}
	s->expired |= news == NAME_EXPIRED;
	loop_defer(s->loop, &s->tell);
}

static struct target *target_create(struct service *s, const struct srv_record *record)
{
	struct target *t = xcalloc(1, sizeof(*t));
	struct resolver_question question = {
	    .host = record->target,
	    .port = record->port,
	    .terms = &s->terms,
	};

	t->service = s;
	t->record = *record;
	TAILQ_INSERT_TAIL(&s->targets, t, link);
	t->watch = resolver_watch_create(s->resolver, &question, target_resolved, t);
	return t;
}

static struct target *target_find(struct service *s, const struct srv_record *record)
{
	struct target *t;

	TAILQ_FOREACH (t, &s->targets, link) {
		if (t->record.port == record->port &&
		    strcasecmp(t->record.target, record->target) == 0)
			return t;
	}
	return NULL;
}

/* `t` may be gone when it returns: it has no address, or so many leave that a name server must have
 * made them up. */
static void target_leaves(struct target *t)
{
	if (t->n == 0 || t->service->n_leaving == SRV_RECORDS_MAX) {
		target_destroy(t);
		return;
	}
	t->leaves = true;
	t->service->n_leaving++;
}

static void set_records(struct service *s, const struct srv_record *v, unsigned n)
{
	struct target *t, *next;

	TAILQ_FOREACH (t, &s->targets, link)
		t->wanted = false;
	for (unsigned i = 0; i < n; i++) {
		t = target_find(s, &v[i]);
		if (!t)
			t = target_create(s, &v[i]);
		t->record = v[i];
		t->wanted = true;
		s->n_leaving -= t->leaves;
		t->leaves = false;
	}
	for (t = TAILQ_FIRST(&s->targets); t; t = next) {
		next = TAILQ_NEXT(t, link);
		if (!t->wanted && !t->leaves)
			target_leaves(t);
	}
}

static void drop_targets(struct service *s, bool only_leaving)
{
	struct target *t, *next;

	for (t = TAILQ_FIRST(&s->targets); t; t = next) {
		next = TAILQ_NEXT(t, link);
		if (t->leaves || !only_leaving)
			target_destroy(t);
	}
}

/* Addresses */

static int by_priority(const void *left, const void *right)
{
	const struct service_address *a = left, *b = right;

	if (a->priority != b->priority)
		return a->priority < b->priority ? -1 : 1;
	return gather_order(&a->addr, &b->addr);
}

/* The weights of that priority are not all zero. */
static bool is_weighted(const struct service *s, uint16_t priority)
{
	const struct target *t;

	TAILQ_FOREACH (t, &s->targets, link) {
		if (t->record.priority == priority && t->record.weight > 0)
			return true;
	}
	return false;
}

/* A target's weight is shared by its addresses: one with an IPv6 address beside its IPv4 one gets
 * no more than one without. */
static unsigned weight_of(const struct target *t, bool weighted)
{
	unsigned weight = weighted ? t->record.weight : 1;

	return MAX(weight * SERVICE_WEIGHT / t->n, 1);
}

/* Two targets may have the same address: what counts is the one of the lowest priority. */
static unsigned choose(struct service_address *v, unsigned n, struct service_address *out)
{
	unsigned chosen = 0;

	qsort(v, n, sizeof(*v), by_priority);
	for (unsigned i = 0; i < n && chosen < SERVICE_ADDRS_MAX; i++) {
		bool known = false;

		for (unsigned k = 0; k < chosen && !known; k++)
			known = net_addr_equal(&out[k].addr, &v[i].addr);
		if (!known)
			out[chosen++] = v[i];
	}
	return chosen;
}

static unsigned collect(const struct service *s, struct service_address out[SERVICE_ADDRS_MAX])
{
	struct service_address *all;
	const struct target *t;
	unsigned n = 0;

	TAILQ_FOREACH (t, &s->targets, link)
		n += t->n;
	all = xcalloc(MAX(n, 1), sizeof(*all));
	n = 0;
	TAILQ_FOREACH (t, &s->targets, link) {
		bool weighted = is_weighted(s, t->record.priority);

		for (unsigned i = 0; i < t->n; i++)
			all[n++] = (struct service_address){
			    .addr = t->addrs[i],
			    .priority = t->record.priority,
			    .weight = weight_of(t, weighted),
			};
	}
	n = choose(all, n, out);
	free(all);
	return n;
}

static bool has_address(const struct service *s)
{
	const struct target *t;

	TAILQ_FOREACH (t, &s->targets, link) {
		if (!t->leaves && t->n > 0)
			return true;
	}
	return false;
}

static void tell(struct loop_task *task)
{
	struct service *s = CONTAINER_OF(task, struct service, tell);
	struct service_address addrs[SERVICE_ADDRS_MAX];
	bool expired = s->expired;
	unsigned n;

	MAGIC_CHECK(s, SERVICE_MAGIC);
	if (service_is_settled(s) && has_address(s))
		drop_targets(s, true);
	s->expired = false;
	n = collect(s, addrs);
	if (n > 0)
		s->on_result(s->arg, NAME_FOUND, addrs, n);
	else if (expired)
		s->on_result(s->arg, NAME_EXPIRED, NULL, 0);
	else if (service_is_settled(s))
		s->on_result(s->arg, NAME_KEPT, NULL, 0);
}

/* Records */

static void records_cb(void *arg, enum resolver_news news, const struct srv_record *v, unsigned n)
{
	struct service *s = arg;

	MAGIC_CHECK(s, SERVICE_MAGIC);
	s->known = true;
	if (news == NAME_FOUND && n > 0) {
		set_records(s, v, n);
	} else if (news != NAME_KEPT) {
		drop_targets(s, false);
		s->expired = true;
	}
	loop_defer(s->loop, &s->tell);
}

struct service *service_create(struct resolver *resolver, struct loop *control,
			       const struct resolver_question *question, service_result *on_result,
			       void *arg)
{
	struct service *s = xcalloc(1, sizeof(*s));

	LOOP_ASSERT_OWNER(control);
	s->magic = SERVICE_MAGIC;
	s->loop = control;
	s->resolver = resolver;
	s->terms = *question->terms;
	s->on_result = on_result;
	s->arg = arg;
	s->tell.run = tell;
	TAILQ_INIT(&s->targets);
	s->watch = resolver_watch_services(resolver, question, records_cb, s);
	return s;
}

void service_destroy(struct service **servicep)
{
	struct service *s = TAKE(servicep);

	if (!s)
		return;
	MAGIC_CHECK(s, SERVICE_MAGIC);
	drop_targets(s, false);
	resolver_watch_destroy(&s->watch);
	loop_task_cancel(s->loop, &s->tell);
	s->magic = MAGIC_DEAD;
	free(s);
}

const struct resolver_watch *service_watch(const struct service *s)
{
	return s->watch;
}

bool service_is_settled(const struct service *s)
{
	const struct target *t;

	TAILQ_FOREACH (t, &s->targets, link) {
		if (!t->leaves && !t->settled)
			return false;
	}
	return s->known;
}
