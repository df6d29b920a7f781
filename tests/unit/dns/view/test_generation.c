/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Generations: fronts are made anew for the pools concerned and for no others, each time with a new
 * view of the same parts; and what a reload takes over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/diag.h"
#include "config/fleet.h"
#include "core/base/check.h"
#include "core/loop/loop.h"
#include "dns/steer/fronts.h"
#include "dns/view/generation.h"
#include "dns/zone/zones.h"
#include "geo/places.h"
#include "tests/unit/dns/fixture.h"

static const char zone[] =
    "@ SOA ns1 hostmaster 1 7200 900 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n";

/* Pools: of all edges, of two, of one. Clients in two networks are somewhere. */
static const char fleet[] = "edges:\n"
			    "  fra1: {location: '50.11,8.68', addresses: [192.0.2.1]}\n"
			    "  nyc1: {location: '40.71,-74.01', addresses: [192.0.2.2]}\n"
			    "  sin1: {location: '1.35,103.82', addresses: [192.0.2.3]}\n"
			    "nameservers: {ns1: {listen: '127.0.0.1:0'}}\n"
			    "origins: {app: {servers: '127.0.0.1:80'}}\n"
			    "sites:\n"
			    "  www:\n"
			    "    hosts: ['*.example.com']\n"
			    "    certificates: [{certificate: c.pem, key: k.pem}]\n"
			    "    routes: [{origin: app}]\n"
			    "zones:\n"
			    "  example.com:\n"
			    "    file: example.zone\n"
			    "    steered:\n"
			    "      all: {site: www}\n"
			    "      again: {site: www, ttl: 1s}\n"
			    "      far: {site: www, policy: failover, order: [nyc1, sin1]}\n"
			    "      ny: {site: www, policy: failover, order: nyc1}\n"
			    "geo:\n"
			    "  overrides:\n"
			    "    - {networks: 198.51.100.0/25, location: '40.71,-74.01'}\n"
			    "    - {networks: 198.51.100.128/25, location: '1.35,103.82'}\n";

enum { ALL, FAR, NY, POOLS };

struct world {
	struct fixture f;
	struct loop_group *group;
	struct snapshot_slot slot;
	struct jobs *jobs;
	struct dns_generation *generation;
	struct event *timer;
	bool (*until)(struct world *w);
	const struct dns_view *before;
};

static void look(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval again = {.tv_usec = 1000};
	struct world *w = arg;

	if (w->until(w))
		loop_stop_mt(w->group->control);
	else
		CHECK(event_add(w->timer, &again) == 0);
}

static void run_until(struct world *w, bool (*condition)(struct world *w))
{
	w->until = condition;
	event_active(w->timer, EV_TIMEOUT, 1);
	loop_run(w->group->control);
}

static bool has_settled(struct world *w)
{
	char *waits_for = dns_generation_waits_for(w->generation);
	bool settled = waits_for == NULL;

	free(waits_for);
	return settled;
}

static bool is_replaced(struct world *w)
{
	return has_settled(w) && dns_view_current(&w->slot) != w->before;
}

static void setup(struct world *w)
{
	struct dns_parts *parts;

	*w = (struct world){0};
	fixture_file(&w->f, "example.zone", zone);
	fixture_fleet(&w->f, fleet);
	w->group = loop_group_create(1);
	snapshot_slot_init(&w->slot, w->group);
	w->jobs = jobs_create(w->group->control, "steering");
	w->timer = evtimer_new(loop_base(w->group->control), look, w);
	CHECK(w->jobs != NULL && w->timer != NULL);
	parts = dns_parts_ref(w->f.parts);
	w->generation = dns_generation_create(&parts);
	assert_null(parts);
}

static void teardown(struct world *w)
{
	dns_generation_end(&w->generation);
	jobs_finish(w->jobs);
	snapshot_slot_fini(&w->slot);
	jobs_destroy(&w->jobs);
	event_free(w->timer);
	loop_group_destroy(&w->group);
	fixture_fini(&w->f);
}

/* What there is is published; the next view is another one. */
static const struct steer_fronts *fronts_of(struct world *w)
{
	w->before = dns_view_current(&w->slot);
	assert_non_null(w->before->fronts);
	assert_int_equal(w->before->fronts->epoch, fleet_verdicts_epoch(w->f.parts->verdicts));
	assert_true(w->before->fronts->complete);
	assert_ptr_equal(w->before->parts, w->f.parts);
	return w->before->fronts;
}

static struct steer_front *front(const struct steer_fronts *fronts, unsigned pool)
{
	return fronts->v[pool * STEER_FAMILIES + STEER_IPV4];
}

static void change(struct world *w, const char *verdicts)
{
	fixture_verdicts(&w->f, verdicts);
	dns_generation_moved(w->generation);
	run_until(w, is_replaced);
}

static void test_only_pools_concerned_get_new_fronts(void **state)
{
	struct steer_fronts *kept;
	struct world w;

	setup(&w);
	assert_int_equal(w.f.parts->steering->pools.n, POOLS);
	fixture_verdicts(&w.f, "uuu");
	dns_generation_start(w.generation, w.group->control, w.jobs);
	assert_false(has_settled(&w));
	run_until(&w, has_settled);
	dns_generation_publish(w.generation, &w.slot);
	kept = steer_fronts_ref((struct steer_fronts *)fronts_of(&w));
	assert_int_equal(front(kept, ALL)->kind, STEER_FRONT_RANGES);
	assert_int_equal(front(kept, FAR)->kind, STEER_FRONT_ONE);

	/* fra1 goes: only the pool of all edges has it. */
	change(&w, "duu");
	assert_ptr_not_equal(front(fronts_of(&w), ALL), front(kept, ALL));
	assert_ptr_equal(front(fronts_of(&w), FAR), front(kept, FAR));
	assert_ptr_equal(front(fronts_of(&w), NY), front(kept, NY));
	steer_fronts_unref(&kept);

	/* sin1 begins to fail: it is no less up for that. */
	kept = steer_fronts_ref((struct steer_fronts *)fronts_of(&w));
	change(&w, "duf");
	for (unsigned i = 0; i < POOLS; i++)
		assert_ptr_equal(front(fronts_of(&w), i), front(kept, i));
	steer_fronts_unref(&kept);

	/* And comes back as it was. */
	change(&w, "uuu");
	assert_int_equal(front(fronts_of(&w), ALL)->n_usable, 3);
	teardown(&w);
}

/* A generation that ends while its fronts are made leaves nothing behind. */
static void test_end_during_a_renewal(void **state)
{
	struct world w;

	setup(&w);
	fixture_verdicts(&w.f, "uuu");
	dns_generation_start(w.generation, w.group->control, w.jobs);
	dns_generation_end(&w.generation);
	teardown(&w);
}

/* A job that waits until it is told to go on. */
struct holdup {
	struct job job;
	sem_t begun, go;
	bool waits, done;
};

static void run_holdup(struct job *job)
{
	struct holdup *h = CONTAINER_OF(job, struct holdup, job);

	sem_post(&h->begun);
	while (h->waits && sem_wait(&h->go) != 0)
		;
}

static void end_holdup(struct job *job)
{
	CONTAINER_OF(job, struct holdup, job)->done = true;
}

static void start_holdup(struct world *w, struct holdup *h, bool waits)
{
	static const struct job_ops job_ops = {run_holdup, end_holdup, end_holdup};

	*h = (struct holdup){.waits = waits};
	CHECK(sem_init(&h->begun, 0, 0) == 0 && sem_init(&h->go, 0, 0) == 0);
	job_start(w->jobs, &h->job, &job_ops);
}

static struct holdup *awaited;

static bool is_done(struct world *w)
{
	return awaited->done;
}

static bool is_let_go(struct world *w)
{
	return w->f.parts->refs == 2; /* the fixture's, and its view's */
}

/* What had been made for a generation that had ended meanwhile, and the last reference to all that
 * it was made of, were let go by the control loop. */
static void test_control_freed_what_was_made_for_nobody(void **state)
{
	struct holdup after, busy;
	unsigned refs;
	struct world w;

	setup(&w);
	fixture_verdicts(&w.f, "uuu");
	dns_generation_start(w.generation, w.group->control, w.jobs);
	start_holdup(&w, &after, false);
	start_holdup(&w, &busy, true);
	while (sem_wait(&busy.begun) != 0)
		;
	/* They are made, and the control loop has not heard of it. */
	dns_generation_end(&w.generation);
	refs = w.f.parts->refs;
	awaited = &after;
	run_until(&w, is_done);
	/* The thread that is to let go of it has no time. */
	assert_int_equal(w.f.parts->refs, refs);
	sem_post(&busy.go);
	run_until(&w, is_let_go);
	teardown(&w);
}

/* Where reloads came faster than fronts were made, all were made one after the other, each for a
 * generation that had ended, and meanwhile none for the one that served. */
static void test_fronts_were_made_for_a_generation_that_had_ended(void **state)
{
	struct holdup first, after, busy;
	unsigned refs;
	struct world w;

	setup(&w);
	fixture_verdicts(&w.f, "uuu");
	start_holdup(&w, &first, true);
	dns_generation_start(w.generation, w.group->control, w.jobs);
	start_holdup(&w, &after, false);
	start_holdup(&w, &busy, true);
	dns_generation_end(&w.generation);
	refs = w.f.parts->refs;
	sem_post(&first.go);
	awaited = &after;
	run_until(&w, is_done);
	/* The job let go of its parts instead. */
	assert_int_equal(w.f.parts->refs, refs - 1);
	sem_post(&busy.go);
	run_until(&w, is_let_go);
	teardown(&w);
}

static void test_discarded(void **state)
{
	struct world w;

	setup(&w);
	dns_generation_discard(&w.generation);
	assert_null(w.generation);
	teardown(&w);
}

static struct dns_parts *load_again(struct fixture *f)
{
	struct diag *diag = diag_create();
	char *path = xasprintf("%s/fleet.yaml", f->dir);
	struct cfg_fleet *config = cfg_load(path, diag);
	struct dns_parts *parts = dns_parts_load(&config, f->parts, diag);

	assert_int_equal(diag_count(diag), 0);
	assert_non_null(parts);
	free(path);
	diag_destroy(&diag);
	return parts;
}

static void test_reload_keeps_what_is_the_same(void **state)
{
	struct dns_parts *parts;
	struct fixture f = {0};

	fixture_file(&f, "example.zone", zone);
	fixture_fleet(&f, fleet);
	parts = load_again(&f);
	assert_ptr_equal(parts->places, f.parts->places);
	assert_ptr_equal(parts->zones->v[0].zone, f.parts->zones->v[0].zone);
	dns_parts_unref(&parts);

	fixture_file(&f, "example.zone", "@ SOA ns1 hostmaster 2 7200 900 1209600 60\n@ NS ns1\n");
	parts = load_again(&f);
	assert_ptr_equal(parts->places, f.parts->places);
	assert_ptr_not_equal(parts->zones->v[0].zone, f.parts->zones->v[0].zone);
	dns_parts_unref(&parts);
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_only_pools_concerned_get_new_fronts),
	    cmocka_unit_test(test_end_during_a_renewal),
	    cmocka_unit_test(test_control_freed_what_was_made_for_nobody),
	    cmocka_unit_test(test_fronts_were_made_for_a_generation_that_had_ended),
	    cmocka_unit_test(test_discarded),
	    cmocka_unit_test(test_reload_keeps_what_is_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
