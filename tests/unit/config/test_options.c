/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The option table itself: every row is complete, its default is one that it takes, and its range
 * holds.
 */
#include "tests/unit/config/support.h"

#include <stdlib.h>
#include <string.h>

#include "config/options.h"
#include "core/base/check.h"

static void each(void (*test)(const struct cfg_option *))
{
	for (unsigned i = 0; i < cfg_n_options; i++)
		test(&cfg_options[i]);
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
	    .path = o->path,
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

static void check_row(const struct cfg_option *o)
{
	size_t len = strlen(o->prose);

	/* One sentence, as the manual page and the schema print it. */
	assert_true(len > 10);
	assert_int_equal(o->prose[len - 1], '.');
	assert_null(strchr(o->prose, '\n'));
	assert_string_equal(strrchr(o->path, '.') != NULL ? strrchr(o->path, '.') + 1 : o->path,
			    cfg_option_key(o));
	switch (o->shape) {
	case CFG_VALUE:
	case CFG_VALUES:
		assert_non_null(o->type);
		assert_non_null(o->type->expected);
		assert_true(o->type->json != 0);
		break;
	case CFG_SECTION:
		assert_non_null(cfg_option_next(o, NULL));
		break;
	case CFG_NAMED:
	case CFG_PAIRS:
		assert_non_null(o->type);
		/* fallthrough */
	case CFG_ITEMS:
		assert_true(o->size > 0);
		assert_non_null(cfg_option_next(o, NULL));
		break;
	}
}

static void test_rows_are_complete(void **state)
{
	each(check_row);
}

static void check_default(const struct cfg_option *o)
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

static void check_range(const struct cfg_option *o)
{
	char *range, *low, *high;

	if (o->type == &cfg_type_duration || o->type == &cfg_type_size ||
	    o->type == &cfg_type_uint || o->type == &cfg_type_port || o->type == &cfg_type_km)
		assert_true(o->min < o->max);
	range = cfg_option_range(o);
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
		const struct cfg_option *found = NULL;

		for (unsigned k = 0; k < cfg_n_options; k++) {
			if (strcmp(cfg_options[k].path, cases[i].path) == 0)
				found = &cfg_options[k];
		}
		assert_non_null(found);
		assert_false(takes(found, cases[i].below));
		assert_false(takes(found, cases[i].above));
	}
}

/* Walking from the top must meet every row once, and in order. */
static unsigned walk(const struct cfg_option *parent, bool *seen)
{
	const struct cfg_option *o = NULL;
	unsigned n = 0;

	while ((o = cfg_option_next(parent, o)) != NULL) {
		assert_false(seen[o - cfg_options]);
		seen[o - cfg_options] = true;
		assert_ptr_equal(cfg_option_child(parent, cfg_option_key(o)), o);
		n += 1 + walk(o, seen);
	}
	return n;
}

static void test_walk(void **state)
{
	bool *seen = xcalloc(cfg_n_options, sizeof(*seen));

	assert_int_equal(walk(NULL, seen), cfg_n_options);
	assert_null(cfg_option_child(NULL, "edge"));
	assert_null(cfg_option_child(NULL, "listen"));
	assert_null(cfg_option_child(cfg_option_child(NULL, "edges"), "kind"));
	free(seen);
}

static void test_restart_class(void **state)
{
	static const char *const restart[] = {
	    "http.access_log",       "edges.*.listen",      "edges.*.listen_plain",
	    "edges.*.control",       "edges.*.workers",     "nameservers.*.listen",
	    "nameservers.*.control", "nameservers.*.state", "nameservers.*.workers",
	};
	unsigned n = 0;

	for (unsigned i = 0; i < cfg_n_options; i++) {
		if (cfg_options[i].reload == CFG_RESTART)
			assert_string_equal(cfg_options[i].path, restart[n++]);
	}
	assert_int_equal(n, ARRAY_SIZE(restart));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows_are_complete), cmocka_unit_test(test_defaults_are_taken),
	    cmocka_unit_test(test_ranges_hold),       cmocka_unit_test(test_walk),
	    cmocka_unit_test(test_restart_class),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
