/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The option table itself: every row is complete, its default is one that it takes, and its range
 * holds.
 */
#include "tests/unit/config/support.h"

#include <stdlib.h>
#include <string.h>

#include "config/options/options.h"
#include "config/types/types.h"
#include "core/base/check.h"

static void visit(void *arg, const char *path, const struct cfg_option *o)
{
	(*(void (**)(const char *, const struct cfg_option *))arg)(path, o);
}

static void each(void (*test)(const char *path, const struct cfg_option *))
{
	cfg_option_each(cfg_options, visit, &test);
}

/* Whether the option takes the text. */
static bool takes(const struct cfg_option *o, const char *text)
{
	struct diag *diag = diag_create();
	char value[256] = {0};
	struct cfg_memory mem;
	struct cfg_fleet fleet = {0};
	struct cfg_value v = {
	    .mem = &mem,
	    .option = o,
	    .fleet = &fleet,
	    .file = "fleet.yaml",
	    .name = "name",
	    .diag = diag,
	    .path = o->key,
	};
	bool taken;

	assert_true(o->type->size <= sizeof(value));
	cfg_memory_init(&mem, 1 << 16, diag);
	taken = o->type->parse(&v, text, value);
	assert_int_equal(diag_count(diag), taken ? 0 : 1);
	cfg_memory_fini(&mem);
	diag_destroy(&diag);
	return taken;
}

static void check_row(const char *path, const struct cfg_option *o)
{
	size_t len = strlen(o->prose);

	/* One sentence, as the manual page and the schema print it. */
	assert_true(len > 10);
	assert_int_equal(o->prose[len - 1], '.');
	assert_null(strchr(o->prose, '\n'));
	assert_int_equal(o->children != NULL, o->shape != CFG_VALUE && o->shape != CFG_VALUES);
	switch (o->shape) {
	case CFG_VALUE:
	case CFG_VALUES:
		assert_non_null(o->type->expected);
		assert_true(o->type->json != 0);
		break;
	case CFG_SECTION:
		break;
	case CFG_NAMED:
	case CFG_PAIRS:
		assert_non_null(o->type->pattern);
		/* fallthrough */
	case CFG_ITEMS:
		assert_true(o->size > 0);
		break;
	}
	if (o->shape == CFG_PAIRS) {
		assert_string_equal(o->children[0].key, "*");
		assert_int_equal(o->children[0].shape, CFG_VALUE);
		assert_null(o->children[1].key);
	}
}

static void test_rows_are_complete(void **state)
{
	each(check_row);
}

static void check_default(const char *path, const struct cfg_option *o)
{
	const char *rest = o->fallback;
	char *item;

	while ((item = cfg_option_next_default(o, &rest)) != NULL) {
		assert_true(takes(o, item));
		free(item);
	}
}

static void test_defaults_are_taken(void **state)
{
	each(check_default);
}

static void check_range(const char *path, const struct cfg_option *o)
{
	char *range, *low, *high;

	if (o->type == &cfg_type_duration || o->type == &cfg_type_size ||
	    o->type == &cfg_type_uint || o->type == &cfg_type_port || o->type == &cfg_type_km)
		assert_true(o->min < o->max);
	range = cfg_type_range(o);
	if (range == NULL)
		return;
	low = range;
	high = strstr(range, " to ");
	assert_non_null(high);
	*high = '\0';
	high += strlen(" to ");
	assert_true(takes(o, low));
	assert_true(takes(o, high));
	free(range);
}

struct search {
	const char *path;
	const struct cfg_option *found;
};

static void look(void *arg, const char *path, const struct cfg_option *o)
{
	struct search *search = arg;

	if (strcmp(path, search->path) == 0)
		search->found = o;
}

static const struct cfg_option *find(const char *path)
{
	struct search search = {.path = path};

	cfg_option_each(cfg_options, look, &search);
	assert_non_null(search.found);
	return search.found;
}

static void test_ranges_hold(void **state)
{
	static const struct {
		const char *path, *below, *above;
	} cases[] = {
	    {"http.timeout.head", "999us", "86401s"},
	    {"http.limit.head_bytes", "1023", "1025KiB"},
	    {"http.limit.fields", "0", "10001"},
	    {"http.limit.silent", "0", "10000001"},
	    {"http.limit.handshakes", "0", "1000001"},
	    {"http.limit.buffered", "1023KiB", "1099511627777"},
	    {"http.timeout.tunnel", "999us", "86401s"},
	    {"edges.*.check.rise", "0", "101"},
	    {"edges.*.check.port", "-1", "65536"},
	    {"edges.*.bias", "-20000.1km", "20000.1km"},
	    {"origins.*.timeout.queue", "0s", "86401s"},
	    {"origins.*.limit.connections", "0", "1000001"},
	    {"origins.*.limit.queue", "-1", "1000001"},
	    {"origins.*.limit.head_bytes", "1023", "1025KiB"},
	    {"origins.*.limit.fields", "0", "10001"},
	    {"zones.*.steered.*.ttl", "-1s", "86401s"},
	};

	each(check_range);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct cfg_option *found = find(cases[i].path);

		assert_false(takes(found, cases[i].below));
		assert_false(takes(found, cases[i].above));
	}
}

static void test_find(void **state)
{
	assert_null(cfg_option_find(cfg_options, "edge"));
	assert_null(cfg_option_find(cfg_options, "listen"));
	assert_ptr_equal(cfg_option_find(cfg_options, "edges")->children, cfg_edge_options);
	assert_null(cfg_option_find(cfg_edge_options, "kind"));
	assert_ptr_equal(cfg_option_find(cfg_edge_options, "admin"), find("edges.*.admin"));
}

static unsigned n_variants;

static void check_variant(const char *path, const struct cfg_option *o)
{
	const struct cfg_option *decider = cfg_option_decider(o);
	unsigned known = 0;

	if (decider == NULL)
		return;
	for (unsigned i = 0; cfg_option_choice(decider, i) != NULL; i++)
		known |= 1U << i;
	/* Some, and not all. */
	assert_true((o->when & known) == o->when && o->when != 0 && o->when != known);
	assert_non_null(decider->fallback);
	assert_string_equal(decider->key, o->choice);
	n_variants++;
}

static void test_variants(void **state)
{
	unsigned kind = CFG_CHECK_TCP;
	char *text;

	each(check_variant);
	assert_true(n_variants > 10);
	text = cfg_option_belongs_to(find("zones.*.steered.*.order"));
	assert_string_equal(text, "policy continent, failover or static");
	free(text);
	text = cfg_option_belongs_to(find("origins.*.tls.ca"));
	assert_string_equal(text, "enabled true");
	free(text);
	assert_false(cfg_option_belongs(find("edges.*.check.path"), &kind));
	kind = CFG_CHECK_HTTP;
	assert_true(cfg_option_belongs(find("edges.*.check.path"), &kind));
	assert_true(cfg_option_belongs(find("edges.*.check.port"), &kind));
}

static void check_restart(const char *path, const struct cfg_option *o)
{
	static const char *const restart[] = {
	    "user",
	    "http.limit.tracked",
	    "http.access_log.output",
	    "http.access_log.syslog.receiver",
	    "tls.handshake_threads",
	    "tls.keys.place",
	    "tls.keys.rate",
	    "tls.keys.servers",
	    "tls.keys.certificate",
	    "tls.keys.key",
	    "tls.keys.ca",
	    "tls.keys.listen",
	    "tls.keys.control",
	    "edges.*.listen",
	    "edges.*.listen_plain",
	    "edges.*.relay.listen",
	    "edges.*.relay.congestion_control",
	    "edges.*.control",
	    "edges.*.workers",
	    "nameservers.*.listen",
	    "nameservers.*.control",
	    "nameservers.*.state",
	    "nameservers.*.workers",
	};
	static unsigned n;

	if (o->reload == CFG_RESTART) {
		assert_true(n < ARRAY_SIZE(restart));
		assert_string_equal(path, restart[n++]);
	}
}

static void test_restart_class(void **state)
{
	each(check_restart);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows_are_complete), cmocka_unit_test(test_defaults_are_taken),
	    cmocka_unit_test(test_ranges_hold),       cmocka_unit_test(test_find),
	    cmocka_unit_test(test_variants),          cmocka_unit_test(test_restart_class),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
