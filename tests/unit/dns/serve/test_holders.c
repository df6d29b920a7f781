/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Who gives way to a newcomer over TCP: by a table of who is there, oldest first, and by a flood.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "dns/serve/holders.h"

#define MAX_HELD 64

struct world {
	struct dns_holders *holders;
	struct dns_holding v[MAX_HELD];
	unsigned n;
};

static struct net_addr addr_of(const char *text)
{
	struct net_addr addr;

	CHECK(net_addr_parse(text, 53000, &addr));
	return addr;
}

static mono_time at(int second)
{
	return (mono_time){1000 + (int64_t)second * 1000000000};
}

static struct dns_holding *add(struct world *w, const char *client, int second)
{
	struct net_addr addr = addr_of(client);
	struct dns_holding *holding = &w->v[w->n++];

	CHECK(w->n <= MAX_HELD);
	dns_holders_add(w->holders, holding, &addr, at(second));
	return holding;
}

static struct dns_holding *give_way(struct world *w, const char *newcomer)
{
	struct net_addr addr = addr_of(newcomer);

	return dns_holders_give_way(w->holders, &addr);
}

static void end(struct world *w)
{
	for (unsigned i = 0; i < w->n; i++) {
		if (w->v[i].holder != NULL)
			dns_holders_remove(w->holders, &w->v[i]);
	}
	dns_holders_destroy(&w->holders);
	assert_null(w->holders);
}

#define NOBODY -1

/* 8 places, so 2 for each. */
struct newcomer_case {
	const char *name;
	const char *held[9]; /* one second after the other; then NULL */
	const char *newcomer;
	int gives_way; /* index in `held` */
};

#define A "192.0.2.1"
#define B "192.0.2.2"
#define C "192.0.2.3"
#define D "2001:db8::1"

static const struct newcomer_case newcomers[] = {
    {"nobody is there", {NULL}, A, NOBODY},
    {"places are left", {A, B, C, D, A, B, C}, D, NOBODY},
    {"full: the largest, not the oldest",
     {B, A, A, C, "10.0.0.1", "10.0.0.2", "10.0.0.3", D},
     "10.0.0.4",
     1},
    {"full: of the largest the quietest", {A, B, B, A, C, C, D, "10.0.0.1"}, "10.0.0.2", 0},
    {"full of single ones: the quietest",
     {B, A, C, D, "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"},
     "10.0.0.5",
     0},
    {"full of single ones: the newcomer's own",
     {B, A, C, D, "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"},
     C,
     2},
    {"its own share, with places left", {B, A, C, A}, A, 1},
    {"full, and its own share", {B, B, A, C, A, C, D, "10.0.0.1"}, A, 2},
    {"another port of a client is the same client", {A ":1", A ":2"}, A ":3", 0},
    {"a mapped address is the IPv4 address", {A, "::ffff:" A}, A, 0},
    {"addresses of an IPv6 network are one",
     {"2001:db8::1", "2001:db8::ffff:0:2"},
     "2001:db8:0:0:8000::",
     0},
    {"its neighbour network is another", {"2001:db8::1", "2001:db8::2"}, "2001:db8:0:1::1", NOBODY},
    {"IPv4 addresses are each their own", {"192.0.2.1", "192.0.2.2"}, "192.0.2.3", NOBODY},
    {"an IPv6 network with the octets of an IPv4 address",
     {"c000:201::", "c000:201::1"},
     A,
     NOBODY},
};

static void test_newcomers(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(newcomers); i++) {
		const struct newcomer_case *c = &newcomers[i];
		struct world w = {.holders = dns_holders_create(8)};
		const struct dns_holding *found;

		for (unsigned k = 0; c->held[k] != NULL; k++)
			add(&w, c->held[k], k);
		found = give_way(&w, c->newcomer);
		if (found != (c->gives_way == NOBODY ? NULL : &w.v[c->gives_way]))
			fail_msg("%s: %td gives way", c->name, found == NULL ? -1 : found - w.v);
		end(&w);
	}
}

static void test_who_was_answered_is_not_the_quietest(void **state)
{
	struct world w = {.holders = dns_holders_create(8)};
	struct dns_holding *first = add(&w, A, 0), *second = add(&w, A, 1);

	assert_ptr_equal(give_way(&w, A), first);
	dns_holders_renew(first, at(2));
	assert_ptr_equal(give_way(&w, A), second);
	end(&w);

	w = (struct world){.holders = dns_holders_create(2)};
	first = add(&w, A, 0);
	second = add(&w, B, 1);
	assert_ptr_equal(give_way(&w, C), first);
	dns_holders_renew(first, at(2));
	assert_ptr_equal(give_way(&w, C), second);
	end(&w);
}

static void test_one_place(void **state)
{
	struct world w = {.holders = dns_holders_create(1)};
	struct dns_holding *only = add(&w, A, 0);

	assert_ptr_equal(give_way(&w, A), only);
	assert_ptr_equal(give_way(&w, B), only);
	dns_holders_remove(w.holders, only);
	assert_null(give_way(&w, B));
	end(&w);
}

/* Four that flood, each from two networks, never cost the few connections of others. */
static void test_a_flood_displaces_itself(void **state)
{
	static const char *const flood[] = {"10.0.0.1", "10.0.0.2", "2001:db8:1::", "2001:db8:2::"};
	struct world w = {.holders = dns_holders_create(32)};
	struct dns_holding *quiet[] = {add(&w, A, 0), add(&w, A, 0), add(&w, B, 0), add(&w, D, 0)};
	struct dns_holding *spare = NULL, *found;
	struct net_addr addr;

	for (int i = 0; i < 10000; i++) {
		addr = addr_of(flood[i % ARRAY_SIZE(flood)]);
		found = dns_holders_give_way(w.holders, &addr);
		for (unsigned k = 0; k < ARRAY_SIZE(quiet); k++)
			assert_ptr_not_equal(found, quiet[k]);
		if (found != NULL)
			dns_holders_remove(w.holders, found);
		spare = found != NULL ? found : &w.v[w.n++];
		dns_holders_add(w.holders, spare, &addr, at(1 + i));
	}
	assert_int_equal(w.n, 32);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_newcomers),
	    cmocka_unit_test(test_who_was_answered_is_not_the_quietest),
	    cmocka_unit_test(test_one_place),
	    cmocka_unit_test(test_a_flood_displaces_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
