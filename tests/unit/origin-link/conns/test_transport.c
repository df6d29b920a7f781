/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The identity of transports: what is the same one, what is another, and what cannot be made.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/diag.h"
#include "core/base/check.h"
#include "origin-link/conns/transport.h"
#include "tests/support/test_cert.h"

/* Two certificates with keys, in files. */
struct files {
	char dir[32];
	char *crt[2], *key[2];
};

static int setup(void **state)
{
	struct files *f = xcalloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/transport-XXXXXX");
	CHECK(mkdtemp(f->dir));
	for (int i = 0; i < 2; i++) {
		struct test_cert cert;

		f->crt[i] = xasprintf("%s/%d.crt", f->dir, i);
		f->key[i] = xasprintf("%s/%d.key", f->dir, i);
		test_cert_init(&cert, "edge.example.com");
		test_cert_write(&cert, f->crt[i], f->key[i]);
		test_cert_fini(&cert);
	}
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct files *f = *state;

	for (int i = 0; i < 2; i++) {
		unlink(f->crt[i]);
		unlink(f->key[i]);
		free(f->crt[i]);
		free(f->key[i]);
	}
	rmdir(f->dir);
	free(f);
	return 0;
}

static struct transport *load(const struct cfg_origin *origin, const char *host)
{
	char *error = NULL;
	struct transport *t = transport_load(origin, host, &error);

	if (!t)
		fail_msg("%s", error);
	return t;
}

static struct cfg_origin with_tls(const struct files *f)
{
	return (struct cfg_origin){.tls = {
				       .enabled = true,
				       .verify = true,
				       .ca = f->crt[0],
				       .name = "",
				   }};
}

/* Whether the two make one transport. */
static bool same(const struct cfg_origin *a, const char *host_a, const struct cfg_origin *b,
		 const char *host_b)
{
	struct transport *x = load(a, host_a), *y = load(b, host_b);
	bool is_same = x == y;

	transport_unref(&x);
	transport_unref(&y);
	assert_null(x);
	return is_same;
}

static void test_plain(void **state)
{
	struct cfg_origin plain = {.tls = {.name = ""},
				   .connection = {.keep_alive = {true, DUR_S(10), DUR_S(3), 3}}};
	struct cfg_origin v2 = plain;
	struct transport *t = load(&plain, "a.test"), *again = transport_plain();

	assert_null(t->tls);
	assert_int_equal(t->proxy, CFG_PROXY_PROTOCOL_NONE);
	assert_ptr_equal(t, again);
	/* Names are nothing to a plain connection. */
	assert_true(same(&plain, "a.test", &plain, "b.test"));
	v2.proxy_protocol = CFG_PROXY_PROTOCOL_V2;
	assert_false(same(&plain, "a.test", &v2, "a.test"));
	transport_unref(&again);
	/* Still held once. */
	again = transport_ref(t);
	transport_unref(&again);
	assert_int_equal(t->refs, 1);
	transport_unref(&t);
}

/* Connections that were made in another way are not gone on with. */
static void test_each_option_of_sockets_counts(void **state)
{
	struct net_addr here;
	const struct cfg_connection with[] = {
	    {.keep_alive = {true, DUR_S(1), DUR_S(2), 3}},
	    {.keep_alive = {true, DUR_S(2), DUR_S(2), 3}},
	    {.keep_alive = {true, DUR_S(2), DUR_S(1), 3}},
	    {.keep_alive = {true, DUR_S(2), DUR_S(1), 4}},
	    {.source = {&here, 1}},
	    {.fast_open = true},
	    {.mss = 1200},
	    {.mss = 1201},
	    {.congestion_control = "reno"},
	    {.congestion_control = "cubic"},
	    {.user_timeout = DUR_S(1)},
	    {.congestion_control = ""},
	};
	struct cfg_origin a = {.tls = {.name = ""}}, b = a;

	assert_true(net_addr_parse("127.0.0.9", 0, &here));
	for (unsigned i = 0; i < ARRAY_SIZE(with); i++) {
		a.connection = with[i];
		for (unsigned k = 0; k < ARRAY_SIZE(with); k++) {
			b.connection = with[k];
			assert_int_equal(same(&a, "a.test", &b, "a.test"), i == k);
		}
	}
}

/* Of sources each edge takes the first that it has, of either family. Checks have the same. */
static void test_source_that_is_there(void **state)
{
	struct net_addr sources[4];
	struct cfg_origin origin = {.tls = {.name = ""}, .connection = {.source = {sources, 4}}};
	struct transport *t, *check;
	char *error;

	assert_true(net_addr_parse("192.0.2.77", 0, &sources[0]));
	assert_true(net_addr_parse("2001:db8::77", 0, &sources[1]));
	assert_true(net_addr_parse("127.0.0.9", 0, &sources[2]));
	assert_true(net_addr_parse("127.0.0.8", 0, &sources[3]));
	t = load(&origin, "a.test");
	assert_true(net_addr_equal(&t->dial.source4, &sources[2]));
	assert_int_equal(t->dial.source6.sa.sa_family, AF_UNSPEC);
	for (unsigned kind = 0; kind < 3; kind++) {
		origin.health.check = (struct cfg_check){
		    .kind = kind == 0 ? CFG_CHECK_HTTP : CFG_CHECK_HTTPS,
		    .host = "a.test",
		    .verify = kind == 1 ? CFG_VERIFY_YES : CFG_VERIFY_NO,
		};
		check = transport_load_check(&origin, "a.test", &error);
		assert_non_null(check);
		assert_int_equal(check->tls != NULL, kind > 0);
		assert_true(net_addr_equal(&check->dial.source4, &sources[2]));
		transport_unref(&check);
	}
	transport_unref(&t);
}

/* What this machine does not have is said when a configuration is loaded or checked, and is no
 * reason not to serve. */
static void test_what_is_not_there_is_warned_of(void **state)
{
	struct net_addr away[2];
	const struct {
		struct cfg_connection connection;
		const char *warning; /* NULL: none */
	} cases[] = {
	    {{.congestion_control = "", .source = {away, 0}}, NULL},
	    {{.congestion_control = "reno"}, NULL},
	    {{.congestion_control = "no-such-one"},
	     "warning: origins.app.connection: congestion control no-such-one cannot be used: "},
	    {{.source = {away, 1}},
	     "warning: origins.app.connection: this machine has no IPv4 address that is a source"},
	    {{.source = {away + 1, 1}},
	     "warning: origins.app.connection: this machine has no IPv6 address that is a source"},
	};

	assert_true(net_addr_parse("192.0.2.77", 0, &away[0]));
	assert_true(net_addr_parse("2001:db8::77", 0, &away[1]));
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cfg_origin origin = {.name = "app", .connection = cases[i].connection};
		struct diag *diag = diag_create();
		char *text;

		transport_warn(&origin, diag);
		text = diag_text(diag);
		assert_int_equal(diag_count(diag), 0);
		if (cases[i].warning)
			assert_non_null(strstr(text, cases[i].warning));
		else
			assert_string_equal(text, "");
		free(text);
		diag_destroy(&diag);
	}
}

static void test_each_part_counts(void **state)
{
	struct files *f = *state;
	struct cfg_origin base = with_tls(f), other;
	struct cfg_origin plain = {.tls = {.name = ""}};

	assert_true(same(&base, "a.test", &base, "a.test"));
	assert_false(same(&base, "a.test", &plain, "a.test"));
	assert_false(same(&base, "a.test", &base, "b.test"));
	other = base;
	other.tls.name = "a.test";
	assert_true(same(&base, "a.test", &other, "10.0.0.1"));
	other = base;
	other.tls.verify = false;
	assert_false(same(&base, "a.test", &other, "a.test"));
	other = base;
	other.tls.ca = f->crt[1];
	assert_false(same(&base, "a.test", &other, "a.test"));
	other.tls.ca = NULL;
	assert_false(same(&base, "a.test", &other, "a.test"));
	other = base;
	other.tls.certificate = f->crt[0];
	other.tls.key = f->key[0];
	assert_false(same(&base, "a.test", &other, "a.test"));
	other = base;
	other.proxy_protocol = CFG_PROXY_PROTOCOL_V1;
	assert_false(same(&base, "a.test", &other, "a.test"));
	/* What is not verified has no use for a trust. */
	base.tls.verify = false;
	other = base;
	other.tls.ca = NULL;
	assert_true(same(&base, "a.test", &other, "a.test"));
}

static void test_unverified(void **state)
{
	struct transport *a = transport_unverified("a.test", CFG_PROXY_PROTOCOL_NONE);
	struct transport *b = transport_unverified("a.test", CFG_PROXY_PROTOCOL_NONE);
	struct transport *c = transport_unverified("192.0.2.1", CFG_PROXY_PROTOCOL_NONE);

	assert_non_null(a->tls);
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, c);
	transport_unref(&a);
	transport_unref(&b);
	transport_unref(&c);
}

static void copy(const char *from, const char *to)
{
	char buf[16 * 1024];
	FILE *in = fopen(from, "re"), *out = fopen(to, "we");
	size_t n;

	assert_true(in && out);
	n = fread(buf, 1, sizeof(buf), in);
	assert_int_equal(fwrite(buf, 1, n, out), n);
	fclose(in);
	fclose(out);
}

/* It is what a file holds that counts, not how it is called. */
static void test_contents_count(void **state)
{
	struct files *f = *state;
	struct cfg_origin origin = with_tls(f);
	char *path = xasprintf("%s/ca.crt", f->dir);
	struct transport *old, *now;

	copy(f->crt[0], path);
	old = load(&origin, "a.test");
	origin.tls.ca = path;
	now = load(&origin, "a.test");
	assert_ptr_equal(now, old);
	transport_unref(&now);
	copy(f->crt[1], path);
	now = load(&origin, "a.test");
	assert_ptr_not_equal(now, old);
	transport_unref(&now);
	transport_unref(&old);
	unlink(path);
	free(path);
}

static void expect_error(const struct cfg_origin *origin, const char *words)
{
	char *error = NULL;

	assert_null(transport_load(origin, "a.test", &error));
	assert_non_null(error);
	if (!strstr(error, words))
		fail_msg("\"%s\" does not say \"%s\"", error, words);
	free(error);
}

static void test_files_that_will_not_do(void **state)
{
	struct files *f = *state;
	struct cfg_origin origin = with_tls(f);
	char *path = xasprintf("%s/x", f->dir);
	FILE *file;

	origin.tls.ca = path;
	expect_error(&origin, path);
	expect_error(&origin, "No such file");
	/* It would block whoever opens it. */
	assert_int_equal(mkfifo(path, 0600), 0);
	expect_error(&origin, "is a FIFO, not a regular file");
	unlink(path);
	origin.tls.ca = f->dir;
	expect_error(&origin, "is a folder, not a regular file");
	file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(ftruncate(fileno(file), 5 * 1024 * 1024), 0);
	fclose(file);
	origin.tls.ca = path;
	expect_error(&origin, "is larger than 4 MiB");
	file = fopen(path, "we");
	fputs("no certificate\n", file);
	fclose(file);
	expect_error(&origin, path);
	origin.tls.ca = f->crt[0];
	origin.tls.certificate = f->crt[0];
	origin.tls.key = f->key[1];
	expect_error(&origin, "does not match");
	unlink(path);
	free(path);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_plain),
	    TEST(test_each_part_counts),
	    TEST(test_unverified),
	    TEST(test_each_option_of_sockets_counts),
	    TEST(test_source_that_is_there),
	    TEST(test_what_is_not_there_is_warned_of),
	    TEST(test_contents_count),
	    TEST(test_files_that_will_not_do),
	};

	alarm(60); /* opening a FIFO must not hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
