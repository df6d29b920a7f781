/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The type of rates: so many in such a time. Any thread.
 */
#include <stdlib.h>
#include <string.h>

#include "config/types/types.h"
#include "config/units.h"
#include "core/base/check.h"

#define COUNT_MAX 1000000
#define SECOND INT64_C(1000000000)
#define PER_MAX (86400 * SECOND)

/* "s" is a second, "10s" are ten. */
static bool parse_per(const char *text, duration *per)
{
	char *one = xasprintf("1%s", text);
	bool ok = cfg_parse_duration(text[0] >= '0' && text[0] <= '9' ? text : one, per);

	free(one);
	return ok && per->ns >= SECOND && per->ns <= PER_MAX && per->ns % SECOND == 0;
}

static bool parse_rate(const struct cfg_value *v, const char *text, void *out)
{
	struct cfg_rate rate = {0};
	const char *slash = strchr(text, '/');
	char *digits;
	uint64_t count;
	bool ok;

	if (strcmp(text, "0") == 0) {
		if (v->option->required)
			return cfg_refuse_because(v, text, "a limit must be of one at least");
		*(struct cfg_rate *)out = rate;
		return true;
	}
	if (slash == NULL)
		return cfg_refuse(v, text);
	digits = strndup(text, (size_t)(slash - text));
	if (digits == NULL)
		check_out_of_memory((size_t)(slash - text));
	ok = cfg_parse_uint(digits, &count) && count > 0 && count <= COUNT_MAX &&
	     parse_per(slash + 1, &rate.per);
	free(digits);
	if (!ok)
		return cfg_refuse(v, text);
	rate.count = (unsigned)count;
	*(struct cfg_rate *)out = rate;
	return true;
}

static char *format_rate(const struct cfg_option *option, const void *value)
{
	const struct cfg_rate *rate = value;
	char *per, *text;

	if (rate->count == 0)
		return xstrdup("0");
	per = cfg_format_duration(rate->per);
	/* "1s" is written "s", "10s" as it is. */
	text = xasprintf("%u/%s", rate->count,
			 per[0] == '1' && (per[1] < '0' || per[1] > '9') ? per + 1 : per);
	free(per);
	return text;
}

const struct cfg_type cfg_type_rate = {
    .name = "rate",
    .expected = "a rate such as 100/s, 5/m or 20/10s, of at most 1000000 in a second up to a day; "
		"or 0",
    .pattern = "^(0|[1-9][0-9]{0,6}/[0-9]*(s|m|h|d))$",
    .json = CFG_JSON_STRING | CFG_JSON_INTEGER,
    .size = sizeof(struct cfg_rate),
    .parse = parse_rate,
    .format = format_rate,
};
