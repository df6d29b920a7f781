/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Types of what is said about a log: where it goes, how it looks. Any thread.
 */
#include "config/types/template.h"
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

const struct cfg_type cfg_type_output = {
    .name = "output",
    .expected = "the path of a file, \"-\", syslog, journald or \"\"",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_output,
    .format = cfg_format_text,
};

/* A word that was meant for another, or a text that says the same of every request. */
static bool has_variable(const char *text)
{
	struct cfg_template_part part;

	while (cfg_template_next(&text, &part)) {
		if (part.is_variable)
			return true;
	}
	return false;
}

static bool parse_format(const struct cfg_value *v, const char *text, void *out)
{
	char *why;
	bool ok;

	if (strcmp(text, CFG_LOG_JSON) == 0 || strcmp(text, CFG_LOG_COMBINED) == 0)
		return cfg_keep(v, text, out);
	if (strlen(text) > CFG_LOG_FORMAT_MAX)
		return cfg_refuse_because(v, text, "it has more than 4096 bytes");
	why = cfg_template_check(text, CFG_KNOWN_END);
	if (why == NULL)
		return has_variable(text) ? cfg_keep(v, text, out) : cfg_refuse(v, text);
	ok = cfg_refuse_because(v, text, why);
	free(why);
	return ok;
}

const struct cfg_type cfg_type_log_format = {
    .name = "format",
    .expected = "json, combined or a text with variables such as {client.ip}",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_format,
    .format = cfg_format_text,
};
