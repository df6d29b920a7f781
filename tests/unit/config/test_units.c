/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Units, by tables: what each text means, what is refused, and that formatting reads back.
 */
#include "tests/unit/config/support.h"

#include <stdlib.h>

#include "config/units.h"
#include "core/base/check.h"

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
		const char *formatted;
	} good[] = {
	    {"0s", 0, "0s"},
	    {"1ns", 1, "1ns"},
	    {"15us", 15000, "15us"},
	    {"500ms", 500000000, "500ms"},
	    {"1000ms", 1000000000, "1s"},
	    {"10s", 10000000000, "10s"},
	    {"90s", 90000000000, "90s"},
	    {"120s", 120000000000, "2m"},
	    {"1h", 3600000000000, "1h"},
	    {"36h", 129600000000000, "36h"},
	    {"10000d", 864000000000000000, "10000d"},
	};
	static const char *const bad[] = {
	    "",     "s",    "10",    "10 s", " 10s",  "10s ",   "-1s",
	    "+1s",  "1.5s", "1m30s", "10S",  "10sec", "10001d", "99999999999999999999s",
	    "0x1s", "1e3s",
	};
	duration d;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		char *text;

		assert_true(cfg_parse_duration(good[i].text, &d));
		assert_int_equal(d.ns, good[i].ns);
		text = cfg_format_duration(d);
		assert_string_equal(text, good[i].formatted);
		free(text);
	}
	d = DUR_NS(7);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(cfg_parse_duration(bad[i], &d));
	assert_int_equal(d.ns, 7);
}

static void test_sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
		const char *formatted;
	} good[] = {
	    {"0", 0, "0"},
	    {"8192", 8192, "8KiB"},
	    {"8193", 8193, "8193"},
	    {"64KiB", 65536, "64KiB"},
	    {"1MiB", 1048576, "1MiB"},
	    {"3GiB", 3221225472, "3GiB"},
	    {"1024GiB", 1099511627776, "1024GiB"},
	};
	static const char *const bad[] = {"",      "KiB",     "64K",  "64KB",
					  "64kib", "1.5MiB",  "-1",   "1 KiB",
					  "1B",    "1025GiB", "0x10", "99999999999999999999"};
	uint64_t size = 7;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		char *text;

		assert_true(cfg_parse_size(good[i].text, &size));
		assert_int_equal(size, good[i].bytes);
		text = cfg_format_size(size);
		assert_string_equal(text, good[i].formatted);
		free(text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(cfg_parse_size(bad[i], &size));
}

static void test_coords(void **state)
{
	static const struct {
		const char *text;
		double latitude, longitude;
		const char *formatted;
	} good[] = {
	    {"50.11,8.68", 50.11, 8.68, "50.11,8.68"},
	    {"-33.87, 151.21", -33.87, 151.21, "-33.87,151.21"},
	    {"+90,-180", 90, -180, "90,-180"},
	    {"0,-0", 0, 0, "0,0"},
	    {"-0.0000000001,0.10", -0.0000000001, 0.1, "0,0.1"},
	    {"100", 0, 0, NULL},
	    {"", 0, 0, NULL},
	    {",", 0, 0, NULL},
	    {"50.11", 0, 0, NULL},
	    {"50.11,", 0, 0, NULL},
	    {"50.,8", 0, 0, NULL},
	    {".5,8", 0, 0, NULL},
	    {"90.1,8", 0, 0, NULL},
	    {"50,180.5", 0, 0, NULL},
	    {"50,8,1", 0, 0, NULL},
	    {"50.11N,8.68E", 0, 0, NULL},
	    {"1e1,8", 0, 0, NULL},
	    {"0x10,8", 0, 0, NULL},
	    {"nan,8", 0, 0, NULL},
	    {"inf,8", 0, 0, NULL},
	    {"50 ,8", 0, 0, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct cfg_coords c = {0};
		char *text;

		if (good[i].formatted == NULL) {
			assert_false(cfg_parse_coords(good[i].text, &c));
			assert_false(c.set);
			continue;
		}
		assert_true(cfg_parse_coords(good[i].text, &c));
		assert_true(c.set);
		assert_true(c.latitude == good[i].latitude && c.longitude == good[i].longitude);
		text = cfg_format_coords(&c);
		assert_string_equal(text, good[i].formatted);
		free(text);
	}
}

static void test_km(void **state)
{
	static const char *const bad[] = {"", "km", "100", "100 km", "100m", "100000km", "1.km"};
	double km = 7;
	char *text;

	assert_true(cfg_parse_km("-50km", &km));
	assert_true(km == -50);
	assert_true(cfg_parse_km("12.5km", &km));
	assert_true(km == 12.5);
	text = cfg_format_km(km);
	assert_string_equal(text, "12.5km");
	free(text);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(cfg_parse_km(bad[i], &km));
}

static void test_status(void **state)
{
	static const char *const bad[] = {"",     "99",      "600",     "2xx",  "200-",
					  "-200", "399-200", "200-600", "200 ", "200--399"};
	struct cfg_range r = {7, 7};
	char *text;

	assert_true(cfg_parse_status("200-399", &r));
	assert_int_equal(r.low, 200);
	assert_int_equal(r.high, 399);
	text = cfg_format_status(r);
	assert_string_equal(text, "200-399");
	free(text);
	assert_true(cfg_parse_status("204", &r));
	assert_true(r.low == 204 && r.high == 204);
	text = cfg_format_status(r);
	assert_string_equal(text, "204");
	free(text);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(cfg_parse_status(bad[i], &r));
}

static void test_numbers_and_booleans(void **state)
{
	static const char *const bad_numbers[] = {"",    "-1", "+1",    "1.0",
						  "0x1", "1 ", "1_000", "9999999999999999999"};
	static const char *const yes[] = {"true", "yes", "on"};
	static const char *const no[] = {"false", "no", "off"};
	static const char *const neither[] = {"", "True", "1", "0", "y", "offf"};
	uint64_t n = 7;
	bool b;

	assert_true(cfg_parse_uint("0123", &n));
	assert_int_equal(n, 123);
	for (size_t i = 0; i < ARRAY_SIZE(bad_numbers); i++)
		assert_false(cfg_parse_uint(bad_numbers[i], &n));
	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		assert_true(cfg_parse_bool(yes[i], &b) && b);
		assert_true(cfg_parse_bool(no[i], &b) && !b);
	}
	for (size_t i = 0; i < ARRAY_SIZE(neither); i++)
		assert_false(cfg_parse_bool(neither[i], &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_durations), cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_coords),    cmocka_unit_test(test_km),
	    cmocka_unit_test(test_status),    cmocka_unit_test(test_numbers_and_booleans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
