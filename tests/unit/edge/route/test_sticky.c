/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Cookies that keep clients at a server: what is made can be read at every edge with the same keys,
 * and nothing else can.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/diag.h"
#include "core/base/check.h"
#include "edge/route/sticky.h"
#include "edge/tls/ticket_keys.h"
#include "edge/tls/tickets.h"

static char directory[64];
static struct arena arena;
static struct cfg_origin origin;
static struct http_head response;

static int set_up(void **state)
{
	strcpy(directory, "/tmp/perigee-sticky-XXXXXX");
	arena_init(&arena, 1 << 20);
	origin = (struct cfg_origin){
	    .name = "app",
	    .balance.sticky =
		{
		    .enabled = true,
		    .name = "server-app",
		    .path = "/",
		    .secure = true,
		    .http_only = true,
		    .same_site = CFG_SAME_SITE_LAX,
		},
	};
	return mkdtemp(directory) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	char *command = xasprintf("rm -rf %s", directory);
	int code = system(command);

	arena_fini(&arena);
	free(command);
	return code;
}

static wall_time now_and(int64_t seconds)
{
	return (wall_time){clock_wall().ns + DUR_S(seconds).ns};
}

static char *make_key(int64_t from)
{
	char *error, *name = ticket_key_make(directory, now_and(from), &error);

	assert_non_null(name);
	return name;
}

static void remove_key(char *name)
{
	char *path = xasprintf("%s/%s", directory, name);

	assert_int_equal(unlink(path), 0);
	free(path);
	free(name);
}

/* Each is another edge. */
static struct edge_tickets *load(const char *keys)
{
	static unsigned char process;
	unsigned char secret[TICKET_SECRET_SIZE];
	struct cfg_fleet fleet = {.file = "test", .tls.tickets = {keys, 1, DUR_S(86400)}};
	struct diag *diag = diag_create();
	struct edge_tickets *tickets;

	memset(secret, ++process, sizeof(secret));
	tickets = edge_tickets_create(
	    &fleet, &(struct edge_resumption){.own = {secret, sizeof(secret)}}, clock_wall(), diag);
	assert_non_null(tickets);
	diag_destroy(&diag);
	return tickets;
}

/* What the client sends back: "name=value". In the arena. */
static const char *written(const struct edge_tickets *tickets, uint64_t server, wall_time now)
{
	struct edge_sticky *s = edge_sticky_create(&origin, tickets);
	const struct http_field *field;
	struct span value;
	char *pair;

	http_head_init(&response, &arena);
	assert_true(edge_sticky_write(s, server, now, &response));
	field = http_fields_only(&response.fields, SPAN("Set-Cookie"));
	assert_non_null(field);
	value = field->value;
	value.n = (size_t)((const char *)memchr(value.p, ';', value.n) - value.p);
	pair = arena_alloc(&arena, value.n + 1);
	memcpy(pair, value.p, value.n);
	pair[value.n] = '\0';
	edge_sticky_destroy(&s);
	return pair;
}

/* 0: none. */
static uint64_t read_back(const struct edge_tickets *tickets, const char *cookies, wall_time now,
			  bool *current)
{
	struct edge_sticky *s = edge_sticky_create(&origin, tickets);
	struct http_fields fields = {0};
	uint64_t server = 0;

	assert_true(http_fields_add(&fields, &arena, SPAN("Cookie"), span_of(cookies)));
	if (!edge_sticky_read(s, &fields, now, &server, current))
		server = 0;
	edge_sticky_destroy(&s);
	return server;
}

#define SERVER UINT64_C(0x0123456789abcdef)

static void test_attributes(void **state)
{
	struct edge_tickets *tickets = load(NULL);
	static const char end[] = "; Path=/app; Max-Age=3600; SameSite=Strict";
	struct span value;

	written(tickets, SERVER, now_and(0));
	value = http_fields_only(&response.fields, SPAN("Set-Cookie"))->value;
	assert_memory_equal(value.p, "server-app=", 11);
	assert_int_equal(value.n, 11 + 50 + strlen("; Path=/; Secure; HttpOnly; SameSite=Lax"));
	assert_memory_equal(value.p + 61, "; Path=/; Secure; HttpOnly; SameSite=Lax", value.n - 61);
	origin.balance.sticky.path = "/app";
	origin.balance.sticky.max_age = DUR_S(3600);
	origin.balance.sticky.secure = origin.balance.sticky.http_only = false;
	origin.balance.sticky.same_site = CFG_SAME_SITE_STRICT;
	written(tickets, SERVER, now_and(0));
	value = http_fields_only(&response.fields, SPAN("Set-Cookie"))->value;
	assert_int_equal(value.n, 61 + strlen(end));
	assert_memory_equal(value.p + 61, end, strlen(end));
	edge_tickets_destroy(&tickets);
}

/* With keys in common at another edge too, without them at this one only. */
static void test_read_back(void **state)
{
	struct edge_tickets *here = load(NULL), *there = load(NULL);
	const char *cookie = written(here, SERVER, now_and(0));
	char *among = xasprintf("a=b; %s; c", cookie);
	bool current = false;

	assert_true(read_back(here, cookie, now_and(0), &current) == SERVER);
	assert_true(current);
	assert_true(read_back(here, among, now_and(0), &current) == SERVER);
	assert_true(read_back(there, cookie, now_and(0), &current) == 0);
	edge_tickets_destroy(&here);
	edge_tickets_destroy(&there);
	free(make_key(-10));
	here = load(directory);
	there = load(directory);
	cookie = written(here, SERVER, now_and(0));
	assert_true(read_back(there, cookie, now_and(0), &current) == SERVER);
	edge_tickets_destroy(&here);
	edge_tickets_destroy(&there);
	free(among);
}

static void test_keys_change(void **state)
{
	char *old = make_key(-10);
	struct edge_tickets *tickets;
	const char *cookie;
	bool current;

	free(make_key(3600));
	tickets = load(directory);
	cookie = written(tickets, SERVER, now_and(0));
	assert_true(read_back(tickets, cookie, now_and(0), &current) == SERVER);
	assert_true(current);
	/* When the next one's time has come it is understood, and is to be made anew. */
	assert_true(read_back(tickets, cookie, now_and(3700), &current) == SERVER);
	assert_false(current);
	assert_string_not_equal(written(tickets, SERVER, now_and(3700)), cookie);
	/* An edge that is ahead of us makes such already. */
	assert_true(read_back(tickets, written(tickets, SERVER, now_and(3700)), now_and(0),
			      &current) == SERVER);
	edge_tickets_destroy(&tickets);
	remove_key(old);
	tickets = load(directory);
	assert_true(read_back(tickets, cookie, now_and(3700), &current) == 0);
	edge_tickets_destroy(&tickets);
}

/* Each byte counts, and so does each character of each. */
static void test_forgeries(void **state)
{
	struct edge_tickets *tickets = load(NULL);
	const char *cookie = written(tickets, SERVER, now_and(0));
	size_t n = strlen(cookie);
	bool current;

	for (size_t i = 11; i < n; i++) {
		char *forged = xstrdup(cookie);

		forged[i] = forged[i] == '0' ? '1' : '0';
		assert_true(read_back(tickets, forged, now_and(0), &current) == 0);
		forged[i] = 'x';
		assert_true(read_back(tickets, forged, now_and(0), &current) == 0);
		forged[i] = '\0';
		assert_true(read_back(tickets, forged, now_and(0), &current) == 0);
		free(forged);
	}
	/* Of another origin. */
	origin.name = "api";
	assert_true(read_back(tickets, cookie, now_and(0), &current) == 0);
	origin.name = "app";
	/* Another server's signature. */
	{
		char *mixed = xstrdup(cookie);

		memcpy(mixed + 11, written(tickets, SERVER + 1, now_and(0)) + 11, 18);
		assert_true(read_back(tickets, mixed, now_and(0), &current) == 0);
		free(mixed);
	}
	edge_tickets_destroy(&tickets);
}

/* Numbers that differ by one do not look as if they did. */
static void test_values_tell_nothing(void **state)
{
	struct edge_tickets *tickets = load(NULL);
	const char *a = written(tickets, SERVER, now_and(0));
	const char *b = written(tickets, SERVER + 1, now_and(0));
	unsigned equal = 0;

	assert_string_equal(a, written(tickets, SERVER, now_and(0)));
	for (size_t i = 13; i < strlen(a); i++)
		equal += a[i] == b[i];
	assert_true(equal < 16);
	edge_tickets_destroy(&tickets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_attributes, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_read_back, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_keys_change, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_forgeries, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_values_tell_nothing, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
