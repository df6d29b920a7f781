/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which server is to be tried, and what is known of the servers: turns, health, suspicion, what
 * all-down means, changes of addresses, reloads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "origin-link/conns/transport.h"
#include "origin-link/servers/choice.h"
#include "tests/unit/origin-link/echo_origin.h"
#include "tests/unit/origin-link/name_server.h"
#include "tests/unit/origin-link/origins_rig.h"

static int setup(void **state)
{
	*state = xcalloc(1, sizeof(struct origins_rig));
	origins_rig_init(*state);
	return 0;
}

static int teardown(void **state)
{
	origins_rig_fini(*state);
	free(*state);
	return 0;
}

/* "123": the servers that were found, by the last digit of their addresses. */
static const char *found(struct origins_rig *t)
{
	static char text[ORIGINS_CANDIDATES_MAX + 1];
	char addr[NET_ADDR_TEXT];
	unsigned i;

	assert_int_equal(origins_rig_find(t), REASON_NONE);
	for (i = 0; i < t->n_found; i++) {
		net_addr_format_ip(endpoint_addr(t->found[i]), addr);
		text[i] = addr[strlen(addr) - 1];
	}
	text[i] = '\0';
	return text;
}

/* Candidates */

static void test_turns(void **state)
{
	struct origins_rig *t = *state;

	origins_rig_add_servers(t, 3);
	origins_rig_open(t);
	assert_string_equal(found(t), "123");
	assert_string_equal(found(t), "231");
	assert_string_equal(found(t), "312");
	assert_string_equal(found(t), "123");
}

static void test_weights_are_turns(void **state)
{
	struct origins_rig *t = *state;
	unsigned seen[3] = {0};

	origins_rig_add_servers(t, 3);
	t->servers[1].weight = 3;
	t->servers[2].weight = 2;
	origins_rig_open(t);
	for (int turn = 0; turn < 60; turn++) {
		assert_int_equal(strlen(found(t)), 3);
		for (unsigned i = 0; i < 3; i++)
			seen[i] += t->found[0] == origins_rig_address(t, i)->endpoint;
	}
	assert_int_equal(seen[0], 10);
	assert_int_equal(seen[1], 30);
	assert_int_equal(seen[2], 20);
}

static void test_suspects_come_last(void **state)
{
	struct origins_rig *t = *state;

	origins_rig_add_servers(t, 4);
	origins_rig_open(t);
	endpoint_suspect(origins_rig_address(t, 0)->endpoint, t->group->control);
	endpoint_suspect(origins_rig_address(t, 2)->endpoint, t->group->control);
	for (int i = 0; i < 10; i++) {
		const char *text = found(t);

		assert_int_equal(strlen(text), 4);
		assert_int_equal(strspn(text, "24"), 2);
	}
	/* All of them are no reason to give up. */
	endpoint_suspect(origins_rig_address(t, 1)->endpoint, t->group->control);
	endpoint_suspect(origins_rig_address(t, 3)->endpoint, t->group->control);
	assert_int_equal(strspn(found(t), "1234"), 4);
}

/* Checked: what is down is left out, and so is what is unproven as soon as one is up. */
static void test_health(void **state)
{
	struct origins_rig *t = *state;

	t->origin.health.enabled = true;
	origins_rig_add_servers(t, 4);
	origins_rig_open(t);
	assert_false(olink_origins_settled(t->origins));
	/* Before the first results all are alike. */
	assert_string_equal(found(t), "1234");
	health_record(&origins_rig_address(t, 0)->health, PROBE_REFUSED);
	assert_string_equal(found(t), "342");
	health_record(&origins_rig_address(t, 3)->health, PROBE_OK);
	assert_string_equal(found(t), "4");
	health_record(&origins_rig_address(t, 1)->health, PROBE_OK);
	health_record(&origins_rig_address(t, 2)->health, PROBE_CERTIFICATE);
	assert_true(olink_origins_settled(t->origins));
	assert_string_equal(found(t), "42");
	endpoint_suspect(origins_rig_address(t, 1)->endpoint, t->group->control);
	assert_string_equal(found(t), "42");
	assert_string_equal(found(t), "42");
}

/* A new address that took connections and never answered was next in line whenever the one that was
 * up could not be reached for a moment, or was busy. */
static void test_unproven_stood_in_for_a_suspect(void **state)
{
	struct origins_rig *t = *state;

	t->origin.health.enabled = true;
	origins_rig_add_servers(t, 3);
	origins_rig_open(t);
	health_record(&origins_rig_address(t, 0)->health, PROBE_OK);
	endpoint_suspect(origins_rig_address(t, 0)->endpoint, t->group->control);
	assert_string_equal(found(t), "1");
	/* Down after all: then they are all that is left, those in doubt behind the others. */
	health_record(&origins_rig_address(t, 0)->health, PROBE_TIMED_OUT);
	endpoint_suspect(origins_rig_address(t, 2)->endpoint, t->group->control);
	assert_string_equal(found(t), "23");
	assert_string_equal(found(t), "23");
}

static void test_all_down(void **state)
{
	struct origins_rig *t = *state;

	t->origin.health.enabled = true;
	t->origin.all_down = CFG_ALL_DOWN_REFUSE;
	origins_rig_add_servers(t, 2);
	origins_rig_open(t);
	/* Not known to be down yet: tried. */
	assert_string_equal(found(t), "12");
	health_record(&origins_rig_address(t, 0)->health, PROBE_REFUSED);
	health_record(&origins_rig_address(t, 1)->health, PROBE_TIMED_OUT);
	assert_int_equal(origins_rig_find(t), REASON_ORIGIN_ALL_DOWN);
	t->origin.all_down = CFG_ALL_DOWN_TRY;
	assert_string_equal(found(t), "12");
	assert_string_equal(found(t), "21");
}

static void test_not_resolved_yet(void **state)
{
	struct origins_rig *t = *state;

	origins_rig_add_server(t, "origin.invalid", 80);
	origins_rig_open(t);
	assert_int_equal(origins_rig_find(t), REASON_ORIGIN_RESOLVE_FAILED);
	assert_false(olink_origins_settled(t->origins));
}

/* Tried twice it would fail twice. */
static void test_same_address_twice(void **state)
{
	struct origins_rig *t = *state;

	origins_rig_add_server(t, "192.0.2.1", 80);
	origins_rig_add_server(t, "::ffff:192.0.2.1", 80);
	origins_rig_add_server(t, "192.0.2.2", 80);
	origins_rig_open(t);
	assert_string_equal(found(t), "12");
	assert_string_equal(found(t), "12");
	assert_string_equal(found(t), "21");
}

static bool has_fewer(struct origins_rig *t)
{
	return balance_table_size(choice_table(t->origins->choices[0])) < ORIGINS_RIG_SERVERS_MAX;
}

/* The first checks of thousands of servers kept control busy: each changed a table that took
 * milliseconds to prepare. Now it is prepared for all that has changed meanwhile. */
static void test_tables_are_prepared_now_and_then(void **state)
{
	struct origins_rig *t = *state;
	struct olink_server *server;

	t->origin.health.enabled = true;
	t->origin.balance.method = CFG_BALANCE_HASH;
	origins_rig_add_servers(t, ORIGINS_RIG_SERVERS_MAX);
	origins_rig_open(t);
	for (unsigned i = 0; i < ORIGINS_RIG_SERVERS_MAX; i++)
		health_record(&origins_rig_address(t, i)->health, PROBE_OK);
	assert_int_equal(origins_rig_find(t), REASON_NONE);
	assert_false(has_fewer(t));
	for (unsigned i = 0; i < 3; i++) {
		server = t->origins->servers[0][i];
		health_record(&origins_rig_address(t, i)->health, PROBE_REFUSED);
		server_changed(server);
		assert_false(has_fewer(t));
	}
	origins_rig_run_until(t, has_fewer);
	assert_true(balance_table_size(choice_table(t->origins->choices[0])) <=
		    ORIGINS_RIG_SERVERS_MAX - 3);
}

static void test_more_than_are_told(void **state)
{
	struct origins_rig *t = *state;
	unsigned seen[ORIGINS_RIG_SERVERS_MAX] = {0};

	origins_rig_add_servers(t, ORIGINS_RIG_SERVERS_MAX);
	origins_rig_open(t);
	for (int turn = 0; turn < ORIGINS_RIG_SERVERS_MAX; turn++) {
		assert_int_equal(origins_rig_find(t), REASON_NONE);
		assert_int_equal(t->n_found, ORIGINS_CANDIDATES_MAX);
		for (unsigned i = 0; i < ORIGINS_RIG_SERVERS_MAX; i++)
			seen[i] += t->found[0] == origins_rig_address(t, i)->endpoint;
	}
	/* Each was the first once. */
	for (unsigned i = 0; i < ORIGINS_RIG_SERVERS_MAX; i++)
		assert_int_equal(seen[i], 1);
}

/* Loading */

static void test_faults_are_collected(void **state)
{
	struct cfg_origin_server server = {.address = {.host = "192.0.2.1", .port = 443}};
	struct cfg_origin origins[3];
	struct cfg_fleet fleet = {.origins = origins, .n_origins = 3};
	struct diag *diag = diag_create();

	for (unsigned i = 0; i < 3; i++)
		origins[i] = (struct cfg_origin){
		    .name = "x",
		    .id = i,
		    .servers = &server,
		    .n_servers = 1,
		    .tls = {.enabled = i != 1, .verify = true, .ca = "/nowhere", .name = ""},
		};
	assert_null(olink_origins_load(&fleet, &olink_nowhere, diag));
	assert_int_equal(diag_count(diag), 2);
	diag_destroy(&diag);
}

/* Loaded and never opened, as by a check of the configuration. */
static void test_only_loaded(void **state)
{
	struct origins_rig *t = *state;
	struct olink_origins *o;

	origins_rig_add_servers(t, 2);
	o = origins_rig_load(&t->fleet);
	olink_origins_destroy(&o);
	assert_null(o);
	assert_int_equal(t->olink->servers.n_servers, 0);
}

/* A reload that names the same server keeps its connections and what is known of it. */
static void test_reload(void **state)
{
	struct origins_rig *t = *state;
	struct cfg_fleet fleet = t->fleet;
	struct cfg_origin origin;
	struct olink_origins *old;
	struct endpoint *e;

	t->origin.health.enabled = true;
	origins_rig_add_servers(t, 1);
	origins_rig_open(t);
	health_record(&origins_rig_address(t, 0)->health, PROBE_OK);
	e = origins_rig_address(t, 0)->endpoint;
	old = t->origins;
	fleet = t->fleet;
	t->origins = origins_rig_load(&fleet);
	olink_origins_open(t->origins, t->olink);
	assert_ptr_equal(t->origins->servers[0][0], old->servers[0][0]);
	assert_true(olink_origins_settled(t->origins));
	olink_origins_destroy(&old);

	/* Another check is another server, at the same endpoint, about which as much is known. */
	origin = t->origin;
	origin.health.check.rise = 7;
	fleet.origins = &origin;
	old = t->origins;
	t->origins = origins_rig_load(&fleet);
	olink_origins_open(t->origins, t->olink);
	assert_ptr_not_equal(t->origins->servers[0][0], old->servers[0][0]);
	assert_ptr_equal(origins_rig_address(t, 0)->endpoint, e);
	olink_origins_destroy(&old);

	/* Another way to connect is another endpoint. */
	origin.tls = (struct cfg_origin_tls){.enabled = true, .name = "a.test"};
	old = t->origins;
	t->origins = origins_rig_load(&fleet);
	olink_origins_open(t->origins, t->olink);
	assert_ptr_not_equal(t->origins->servers[0][0], old->servers[0][0]);
	assert_ptr_not_equal(origins_rig_address(t, 0)->endpoint, e);
	olink_origins_destroy(&old);
	olink_origins_destroy(&t->origins); /* before `fleet` goes */
}

/* Opens what `fleet` says in the place of what is open. */
static void reload(struct origins_rig *t, const struct cfg_fleet *fleet)
{
	struct olink_origins *old = t->origins;

	t->origins = origins_rig_load(fleet);
	olink_origins_open(t->origins, t->olink);
	olink_origins_destroy(&old);
}

/* With another check, one that was known to be down got requests until its first check had failed.
 */
static void test_another_check_forgot_all_verdicts(void **state)
{
	struct origins_rig *t = *state;
	static struct cfg_origin origin;
	static struct cfg_fleet fleet;
	struct health *health;

	t->origin.health.enabled = true;
	t->origin.health.check.fall = 2;
	origins_rig_add_servers(t, 3);
	origins_rig_open(t);
	health_record(&origins_rig_address(t, 0)->health, PROBE_REFUSED);
	health_record(&origins_rig_address(t, 1)->health, PROBE_OK);
	health_record(&origins_rig_address(t, 2)->health, PROBE_OK);
	health_record(&origins_rig_address(t, 2)->health, PROBE_TIMED_OUT);
	fleet = t->fleet;
	origin = t->origin;
	fleet.origins = &origin;
	origin.health.check.interval = DUR_S(1800);
	origin.health.check.path = "/other";
	reload(t, &fleet);
	assert_true(olink_origins_settled(t->origins));
	assert_string_equal(found(t), "23");
	assert_string_equal(found(t), "32");
	health = &origins_rig_address(t, 0)->health;
	assert_int_equal(health->cause, PROBE_REFUSED);
	health = &origins_rig_address(t, 2)->health;
	assert_int_equal(health->cause, PROBE_TIMED_OUT);
	assert_true(health->failing);
	/* Its failures are counted anew. */
	assert_false(health_record(health, PROBE_TIMED_OUT));
	assert_true(health_record(health, PROBE_TIMED_OUT));
	assert_string_equal(found(t), "2");
}

/* Two origins of one server, which serves the one and has lost the other. */
static void test_verdict_of_another_question_was_taken(void **state)
{
	struct origins_rig *t = *state;
	static struct cfg_origin origins[2];
	static struct cfg_fleet fleet = {.origins = origins, .n_origins = 2};

	origins_rig_add_servers(t, 1);
	t->origin.health.enabled = true;
	for (unsigned i = 0; i < 2; i++) {
		origins[i] = t->origin;
		origins[i].id = i;
		origins[i].health.check.path = i == 0 ? "/app" : "/api";
	}
	t->origins = origins_rig_load(&fleet);
	olink_origins_open(t->origins, t->olink);
	for (unsigned i = 0; i < 2; i++)
		health_record(&server_addresses(t->origins->servers[i][0])->v[0]->health,
			      i == 0 ? PROBE_WRONG_STATUS : PROBE_OK);
	origins[0].health.check.interval = origins[1].health.check.interval = DUR_S(1800);
	reload(t, &fleet);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(
		    health_get(&server_addresses(t->origins->servers[i][0])->v[0]->health),
		    i == 0 ? HEALTH_DOWN : HEALTH_UP);
}

/* Addresses by name, through a name server of the test's own */

static void note_change(struct server_table *table)
{
	loop_stop_mt(table->group->control);
}

static void test_change_of_addresses(void **state)
{
	struct origins_rig *t = *state;
	struct loop *loop = t->group->control;
	struct transport *plain = transport_plain();
	struct echo_origin o = {0};
	struct name_server ns;
	char text[NET_ADDR_TEXT];

	echo_origin_start(&o);
	name_server_init(&ns, loop);
	struct server_table table = {
	    .group = t->group,
	    .buffers = t->buffers,
	    .metrics = t->olink->metrics,
	    .conns = t->olink->conns,
	    .resolver = resolver_create(loop, t->olink->metrics, &ns.sources),
	    .on_change = note_change,
	};
	struct server_identity id = {
	    .resolve = &t->origin.resolve,
	    .host = "o.test",
	    .port = net_addr_port(&o.addr),
	    .check = &t->origin.health.check,
	    .transport = plain,
	    .check_transport = plain,
	};

	assert_non_null(table.resolver);
	ns.a[0] = "127.0.0.1";
	ns.a[1] = "127.0.0.2";
	ns.ttl = 1;
	struct olink_server *s = server_take(&table, &id);

	assert_ptr_equal(server_take(&table, &id), s);
	assert_null(server_addresses(s));
	loop_run(loop);
	const struct olink_addresses *list = server_addresses(s);
	struct olink_address *first = list->v[0];

	assert_int_equal(list->n, 2);

	/* The second goes, another comes; the first stays what it was. */
	ns.a[1] = "127.0.0.3";
	while (server_addresses(s) == list)
		loop_run(loop);
	list = server_addresses(s);
	assert_int_equal(list->n, 2);
	assert_ptr_equal(list->v[0], first);
	assert_int_equal(health_get(&first->health), HEALTH_UP);
	assert_string_equal(net_addr_format_ip(endpoint_addr(list->v[1]->endpoint), text),
			    "127.0.0.3");

	/* No answer changes nothing. */
	int64_t failures = origins_rig_count(t, OLINK_RESOLVE_FAILURES);

	ns.rcode = 2;
	while (origins_rig_count(t, OLINK_RESOLVE_FAILURES) == failures)
		event_base_loop(loop_base(loop), EVLOOP_ONCE);
	assert_ptr_equal(server_addresses(s), list);

	struct olink_server *again = s;

	server_give(&again);
	assert_int_equal(table.n_servers, 1);
	server_give(&s);
	assert_int_equal(table.n_servers, 0);
	resolver_destroy(&table.resolver);
	name_server_fini(&ns);
	transport_unref(&plain);
	origins_rig_run_until(t, origins_rig_is_swept);
	echo_origin_stop(&o);
}

/* The old one went before the new one's name was resolved. */
static void test_another_check_forgot_the_verdicts_of_a_name(void **state)
{
	struct origins_rig *t = *state;
	struct loop *loop = t->group->control;
	struct cfg_check other = t->origin.health.check;
	struct transport *plain = transport_plain();
	struct olink_server *old, *s;
	struct echo_origin o = {0};
	struct name_server ns;

	echo_origin_start(&o);
	name_server_init(&ns, loop);
	struct server_table table = {
	    .group = t->group,
	    .buffers = t->buffers,
	    .metrics = t->olink->metrics,
	    .conns = t->olink->conns,
	    .resolver = resolver_create(loop, t->olink->metrics, &ns.sources),
	    .on_change = note_change,
	};
	struct server_identity id = {
	    .resolve = &t->origin.resolve,
	    .host = "o.test",
	    .port = net_addr_port(&o.addr),
	    .check = &t->origin.health.check,
	    .transport = plain,
	    .check_transport = plain,
	};

	ns.a[0] = "127.0.0.1";
	ns.ttl = 3600;
	old = server_take(&table, &id);
	while (!server_is_settled(old))
		loop_run(loop);
	health_record(&server_addresses(old)->v[0]->health, PROBE_BAD_RESPONSE);
	assert_int_equal(health_get(&server_addresses(old)->v[0]->health), HEALTH_DOWN);
	other.interval = DUR_S(1800);
	id.check = &other;
	s = server_take(&table, &id);
	assert_ptr_not_equal(s, old);
	server_give(&old);
	assert_non_null(server_addresses(s));
	assert_int_equal(health_get(&server_addresses(s)->v[0]->health), HEALTH_DOWN);
	assert_false(server_is_settled(s)); /* its name may have other addresses by now */
	/* Its own resolution changes nothing, and its own check finds out the truth. */
	const struct olink_addresses *list = server_addresses(s);

	while (!server_is_settled(s) || health_get(&list->v[0]->health) != HEALTH_UP)
		event_base_loop(loop_base(loop), EVLOOP_ONCE);
	assert_ptr_equal(server_addresses(s), list);

	server_give(&s);
	assert_int_equal(table.n_servers, 0);
	resolver_destroy(&table.resolver);
	name_server_fini(&ns);
	transport_unref(&plain);
	origins_rig_run_until(t, origins_rig_is_swept);
	echo_origin_stop(&o);
}

/* A server known by a name, and a table of its own whose names a server of the test's knows. */
struct named {
	struct origins_rig *rig;
	struct name_server ns;
	struct server_table table;
	struct transport *plain;
	struct server_identity id;
};

static void named_init(struct named *n, struct origins_rig *rig)
{
	struct loop *loop = rig->group->control;

	n->rig = rig;
	name_server_init(&n->ns, loop);
	n->ns.ttl = 1;
	n->plain = transport_plain();
	n->table = (struct server_table){
	    .group = rig->group,
	    .buffers = rig->buffers,
	    .metrics = rig->olink->metrics,
	    .conns = rig->olink->conns,
	    .resolver = resolver_create(loop, rig->olink->metrics, &n->ns.sources),
	    .on_change = note_change,
	};
	n->id = (struct server_identity){
	    .host = "o.test",
	    .port = 80,
	    .resolve = &rig->origin.resolve,
	    .transport = n->plain,
	    .check_transport = n->plain,
	};
}

static void named_fini(struct named *n)
{
	assert_int_equal(n->table.n_servers, 0);
	resolver_destroy(&n->table.resolver);
	name_server_fini(&n->ns);
	transport_unref(&n->plain);
	origins_rig_run_until(n->rig, origins_rig_is_swept);
}

static void run_until_failed(struct named *n, int64_t failures)
{
	while (origins_rig_count(n->rig, OLINK_RESOLVE_FAILURES) < failures)
		event_base_loop(loop_base(n->rig->group->control), EVLOOP_ONCE);
}

/* A reload that changes how a server is reached, or how its name is looked up, while no name server
 * answers: there was no address until one did. */
static void test_reload_without_a_name_server_lost_the_addresses(void **state)
{
	struct origins_rig *t = *state;
	struct transport *tls = transport_unverified("o.test", CFG_PROXY_PROTOCOL_NONE);
	struct cfg_resolve other = t->origin.resolve;
	struct olink_server *old, *s[3];
	struct named n;

	named_init(&n, t);
	n.ns.a[0] = "127.0.0.1";
	n.ns.aaaa[0] = "::1";
	old = server_take(&n.table, &n.id);
	loop_run(t->group->control);
	assert_int_equal(server_addresses(old)->n, 2);
	n.ns.rcode = 2;
	run_until_failed(&n, 1);

	other.family = CFG_FAMILY_IPV6;
	n.id.resolve = &other;
	s[0] = server_take(&n.table, &n.id);
	n.id.resolve = &t->origin.resolve;
	n.id.transport = tls;
	s[1] = server_take(&n.table, &n.id);
	n.id.transport = n.plain;
	n.id.check = &t->origin.health.check;
	s[2] = server_take(&n.table, &n.id);
	server_give(&old);
	assert_int_equal(server_addresses(s[0])->n, 1);
	assert_int_equal(server_addresses(s[0])->v[0]->addr.sa.sa_family, AF_INET6);
	assert_int_equal(server_addresses(s[1])->n, 2);
	assert_ptr_equal(endpoint_transport(server_addresses(s[1])->v[0]->endpoint), tls);
	assert_int_equal(server_addresses(s[2])->n, 2);
	assert_int_equal(health_get(&server_addresses(s[2])->v[0]->health), HEALTH_UNKNOWN);
	for (unsigned i = 0; i < 3; i++)
		server_give(&s[i]);
	transport_unref(&tls);
	named_fini(&n);
}

/* When the time that they are kept for is over, the addresses go, and come back with an answer. */
static void test_addresses_go_after_their_keep(void **state)
{
	struct origins_rig *t = *state;
	struct olink_server *s;
	struct named n;

	t->origin.resolve.keep = DUR_S(1);
	named_init(&n, t);
	n.ns.a[0] = "127.0.0.1";
	s = server_take(&n.table, &n.id);
	loop_run(t->group->control);
	n.ns.rcode = 2;
	run_until_failed(&n, 1);
	assert_int_equal(server_addresses(s)->n, 1);
	while (server_addresses(s))
		event_base_loop(loop_base(t->group->control), EVLOOP_ONCE);
	assert_int_equal(origins_rig_count(t, OLINK_RESOLVES_EXPIRED), 1);
	n.ns.rcode = 0;
	while (!server_addresses(s))
		loop_run(t->group->control);
	assert_int_equal(server_addresses(s)->n, 1);
	server_give(&s);
	named_fini(&n);
}

/* Runs until the name has turned to that address alone. */
static const struct olink_addresses *turn_to(struct named *n, struct olink_server *s,
					     const char *address)
{
	char text[NET_ADDR_TEXT];
	const struct olink_addresses *list;

	n->ns.a[0] = address;
	n->ns.a[1] = NULL;
	resolver_start_over(n->table.resolver);
	do {
		loop_run(n->rig->group->control);
		list = server_addresses(s);
	} while (!list || list->n != 1 ||
		 strcmp(net_addr_format_ip(&list->v[0]->addr, text), address) != 0);
	return list;
}

/* What was known of it was found out anew: its times, its failures, its history. */
static void test_name_that_came_back_to_an_address_had_forgotten_it(void **state)
{
	struct origins_rig *t = *state;
	struct olink_address *up, *down;
	struct olink_server *s;
	struct endpoint *e;
	struct named n;

	named_init(&n, t);
	n.id.check = &t->origin.health.check;
	s = server_take(&n.table, &n.id);
	up = turn_to(&n, s, "127.0.0.1")->v[0];
	e = up->endpoint;
	while (health_get(&up->health) == HEALTH_UNKNOWN) /* nobody is there */
		loop_run(t->group->control);
	assert_true(health_record(&up->health, PROBE_OK));
	endpoint_suspect(e, t->group->control);
	down = turn_to(&n, s, "127.0.0.2")->v[0];
	assert_null(up->probe);
	assert_true(health_get(&down->health) != HEALTH_UP);
	while (health_get(&down->health) == HEALTH_UNKNOWN)
		loop_run(t->group->control);

	/* One that was up has to prove that it still is. */
	assert_ptr_equal(turn_to(&n, s, "127.0.0.1")->v[0], up);
	assert_ptr_equal(up->endpoint, e);
	assert_true(endpoint_is_suspect(e, loop_now(t->group->control)));
	assert_non_null(up->probe);
	assert_int_not_equal(health_get(&up->health), HEALTH_UP);
	assert_true(up->history.n >= 2); /* refused, came back */

	assert_ptr_equal(turn_to(&n, s, "127.0.0.2")->v[0], down);
	assert_int_equal(health_get(&down->health), HEALTH_DOWN);
	server_give(&s);
	named_fini(&n);
}

/* A name server that gives another address each time: only so many are remembered. */
static void test_name_of_ever_new_addresses(void **state)
{
	struct origins_rig *t = *state;
	struct olink_server *s;
	struct named n;

	named_init(&n, t);
	s = server_take(&n.table, &n.id);
	for (unsigned i = 1; i <= SERVICE_ADDRS_MAX + 5; i++) {
		char text[NET_ADDR_TEXT];

		snprintf(text, sizeof(text), "127.0.1.%u", i);
		turn_to(&n, s, text);
	}
	assert_int_equal(s->past.n, SERVICE_ADDRS_MAX);
	server_give(&s);
	named_fini(&n);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_turns),
	    TEST(test_weights_are_turns),
	    TEST(test_suspects_come_last),
	    TEST(test_health),
	    TEST(test_unproven_stood_in_for_a_suspect),
	    TEST(test_all_down),
	    TEST(test_not_resolved_yet),
	    TEST(test_same_address_twice),
	    TEST(test_more_than_are_told),
	    TEST(test_tables_are_prepared_now_and_then),
	    TEST(test_faults_are_collected),
	    TEST(test_only_loaded),
	    TEST(test_reload),
	    TEST(test_another_check_forgot_all_verdicts),
	    TEST(test_verdict_of_another_question_was_taken),
	    TEST(test_change_of_addresses),
	    TEST(test_another_check_forgot_the_verdicts_of_a_name),
	    TEST(test_reload_without_a_name_server_lost_the_addresses),
	    TEST(test_addresses_go_after_their_keep),
	    TEST(test_name_that_came_back_to_an_address_had_forgotten_it),
	    TEST(test_name_of_ever_new_addresses),
	};

	alarm(120); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
