/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Types of what is said about a log: where it goes. Any thread.
 */
#include "config/types/types.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

/* What is the name of no file: who wants a file of that name writes "./syslog". */
static bool is_own_word(const char *text)
{
	static const char *const words[] = {"", "-", CFG_OUTPUT_SYSLOG, CFG_OUTPUT_JOURNALD};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(text, words[i]) == 0)
			return true;
	}
	return false;
}

static bool parse_output(const struct cfg_value *v, const char *text, void *out)
{
	return is_own_word(text) ? cfg_keep(v, text, out) : cfg_type_path.parse(v, text, out);
}

static char *format_text(const struct cfg_option *option, const void *value)
{
	return xstrdup(*(const char *const *)value);
}

const struct cfg_type cfg_type_output = {
    .name = "output",
    .expected = "the path of a file, \"-\", syslog, journald or \"\"",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_output,
    .format = format_text,
};
