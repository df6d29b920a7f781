/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Shares of a whole. Any thread.
 */
#include "config/types/types.h"

#include "config/units.h"

static bool parse_percent(const struct cfg_value *v, const char *text, void *out)
{
	double percent;

	if (!cfg_parse_percent(text, &percent))
		return cfg_refuse(v, text);
	*(double *)out = percent;
	return true;
}

static char *format_percent(const struct cfg_option *option, const void *value)
{
	return cfg_format_percent(*(const double *)value);
}

const struct cfg_type cfg_type_percent = {
    .name = "percent",
    .expected = "a share such as 10% or 0.5%, at most 100%",
    .pattern = "^[0-9]{1,3}(\\.[0-9]+)?%$",
    .json = CFG_JSON_STRING,
    .size = sizeof(double),
    .parse = parse_percent,
    .format = format_percent,
};
