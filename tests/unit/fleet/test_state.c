/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The last verdicts on disk: what is written is read again, by a clock that the test turns; and
 * whatever else a file may hold is refused with words, and harms nobody. When it is written, and at
 * the end, is tests/scenario/test_fault_restart.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "fleet/state.h"
#include "fleet/verdicts.h"

static struct net_addr addresses[3];
static struct cfg_edge edges[] = {
    {.name = "fra1", .id = 0, .addresses = {.v = addresses, .n = 2}},
    {.name = "nyc1", .id = 1, .addresses = {.v = addresses + 2, .n = 1}},
    {.name = "nil1", .id = 2},
};
static const struct cfg_fleet fleet = {.edges = edges, .n_edges = ARRAY_SIZE(edges)};

#define WALL 1767225600 /* seconds, of "now" */

static mono_time mono(int64_t seconds)
{
	return (mono_time){seconds * 1000000000};
}

static wall_time wall(int64_t seconds)
{
	return (wall_time){seconds * 1000000000};
}

static struct fleet_verdicts *table(void)
{
	assert_true(net_addr_parse("192.0.2.1", 0, &addresses[0]));
	assert_true(net_addr_parse("2001:db8::1", 0, &addresses[1]));
	assert_true(net_addr_parse("192.0.2.2", 0, &addresses[2]));
	return fleet_verdicts_fixed(&fleet);
}

/* "u ok 5, d refused 0, ?": state, cause and age of each. */
static char *found(const struct fleet_verdicts *t, mono_time now)
{
	char *text = xstrdup("");

	for (unsigned i = 0; i < 3; i++) {
		const struct fleet_verdict *v = fleet_verdicts_at(t, i / 2, i % 2);
		enum health_state state = fleet_verdict_state(v, now);
		duration age = mono_since(now, fleet_verdict_last(v));
		char *more = state == HEALTH_UNKNOWN
				 ? xasprintf("%s?,", text)
				 : xasprintf("%s%s %s %d,", text, health_state_text(state),
					     probe_cause_text(fleet_verdict_cause(v)),
					     (int)(dur_to_ms(age) / 1000));

		free(text);
		text = more;
	}
	return text;
}

static void assert_found(const struct fleet_verdicts *t, mono_time now, const char *expected)
{
	char *text = found(t, now);

	assert_string_equal(text, expected);
	free(text);
}

/* What went wrong must be `wrong`; NULL: nothing. */
static void read_text(struct fleet_verdicts *t, const char *text, size_t len, mono_time now,
		      const char *wrong, unsigned n_expected)
{
	unsigned n = 77;
	char *said = fleet_state_read(text, len, t, wall(WALL), now, &n);

	if (wrong == NULL)
		assert_null(said);
	else if (said == NULL || strstr(said, wrong) == NULL)
		fail_msg("%s: \"%s\", not \"%s\"", text, said ? said : "fine", wrong);
	assert_int_equal(n, n_expected);
	free(said);
}

static void test_what_is_written_is_read(void **state)
{
	struct fleet_verdicts *before = table(), *after = table();
	char *text;

	fleet_verdict_recall(fleet_verdicts_at(before, 0, 0), HEALTH_UP, PROBE_OK, mono(95),
			     mono(100));
	fleet_verdict_recall(fleet_verdicts_at(before, 1, 0), HEALTH_DOWN, PROBE_TIMED_OUT,
			     mono(60), mono(100));
	text = fleet_state_write(before, wall(WALL - 20), mono(100));
	/* Of another boot, whose clock has just begun. */
	read_text(after, text, strlen(text), mono(3), NULL, 2);
	assert_found(after, mono(3), "up ok 25,?,down timed-out 60,");
	free(text);
	/* Ages add up over runs that find nothing out. */
	text = fleet_state_write(after, wall(WALL), mono(3));
	fleet_verdicts_unref(&after);
	after = table();
	read_text(after, text, strlen(text), mono(0), NULL, 2);
	assert_found(after, mono(0), "up ok 25,?,down timed-out 60,");
	free(text);
	fleet_verdicts_unref(&after);
	fleet_verdicts_unref(&before);
}

#define ENTRY(state, cause, time)                                                                  \
	"{\"format\": \"perigee verdicts 1\", \"edges\": {\"fra1\": {\"192.0.2.1\": {\"state\": "  \
	"\"" state "\", \"cause\": \"" cause "\", \"time\": " #time "}}}}"
#define JUNK "entries that make no sense"
#define FOREIGN "is not a file of verdicts"

static const struct {
	const char *text, *wrong;
	unsigned n;
} files[] = {
    {ENTRY("up", "ok", 1767225600), NULL, 1},
    {ENTRY("down", "bad-certificate", 1767225599), NULL, 1},
    {ENTRY("up", "ok", 1767222000), NULL, 1}, /* an hour ago */
    {ENTRY("up", "ok", 1767221999), NULL, 0},
    {ENTRY("up", "ok", 1767225660), NULL, 1}, /* in a minute */
    {ENTRY("up", "ok", 1767225661), NULL, 0},
    {ENTRY("up", "ok", 9223372036854775807), NULL, 0},
    {ENTRY("up", "ok", -9223372036854775807), NULL, 0},
    {ENTRY("unknown", "pending", 1767225600), JUNK, 0},
    {ENTRY("up", "well", 1767225600), JUNK, 0},
    {ENTRY("up", "prevented", 1767225600), JUNK, 0},
    {ENTRY("up", "ok", "now"), JUNK, 0},
    {ENTRY("up", "ok", 1.5), JUNK, 0},
    {"{\"format\": \"perigee verdicts 1\", \"edges\": {\"fra1\": {\"192.0.2.1\": 7}}}", JUNK, 0},
    {"{\"format\": \"perigee verdicts 1\", \"edges\": {\"fra1\": [], \"gone1\": 0}}", NULL, 0},
    {"{\"format\": \"perigee verdicts 1\", \"edges\": []}", FOREIGN, 0},
    {"{\"format\": \"perigee verdicts 2\", \"edges\": {}}", FOREIGN, 0},
    {"{\"format\": 1}", FOREIGN, 0},
    {"[]", FOREIGN, 0},
    {"", "is no JSON", 0},
    {"{\"format\": \"perigee verdicts 1\", \"edges\": {\"fra1", "is no JSON", 0},
    {"\x7f"
     "ELF",
     "is no JSON", 0},
};

static void test_other_files(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(files); i++) {
		struct fleet_verdicts *t = table();

		read_text(t, files[i].text, strlen(files[i].text), mono(50), files[i].wrong,
			  files[i].n);
		fleet_verdicts_unref(&t);
	}
}

static void test_deep_and_cut_files(void **state)
{
	static const char whole[] = ENTRY("up", "ok", 1767225600);
	struct fleet_verdicts *t = table();
	size_t n = 1 << 20;
	char *deep = xmalloc(n);

	memset(deep, '[', n);
	read_text(t, deep, n, mono(50), "is no JSON", 0);
	free(deep);
	for (size_t len = 0; len < sizeof(whole) - 1; len++)
		read_text(t, whole, len, mono(50), "is no JSON", 0);
	fleet_verdicts_unref(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_written_is_read),
	    cmocka_unit_test(test_other_files),
	    cmocka_unit_test(test_deep_and_cut_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
