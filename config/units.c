/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Durations, sizes, coordinates, kilometres, status ranges, numbers and booleans as text. Strict:
 * no signs where none belong, no exponents, no junk after the value. Any thread.
 */
#include "config/units.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

struct unit {
	const char *suffix;
	uint64_t factor;
};

/* Largest first: the formatters take the first that divides. */
static const struct unit duration_units[] = {
    {"d", 86400000000000}, {"h", 3600000000000}, {"m", 60000000000}, {"s", 1000000000},
    {"ms", 1000000},       {"us", 1000},         {"ns", 1},
};

static const struct unit size_units[] = {
    {"GiB", 1 << 30},
    {"MiB", 1 << 20},
    {"KiB", 1 << 10},
    {"", 1},
};

#define DURATION_MAX (10000 * UINT64_C(86400000000000))
#define SIZE_BYTES_MAX (UINT64_C(1) << 40)

/* Digits at *text; moves *text behind them. False without a digit or past 2^63. */
static bool take_digits(const char **text, uint64_t *out)
{
	const char *p = *text;
	uint64_t value = 0;

	if (!isdigit((unsigned char)*p))
		return false;
	for (; isdigit((unsigned char)*p); p++) {
		if (value > (INT64_MAX - 9) / 10)
			return false;
		value = value * 10 + (uint64_t)(*p - '0');
	}
	*text = p;
	*out = value;
	return true;
}

static bool parse_with_unit(const char *text, const struct unit *units, size_t n, uint64_t max,
			    uint64_t *out)
{
	uint64_t value;

	if (!take_digits(&text, &value))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(text, units[i].suffix) != 0)
			continue;
		if (value > max / units[i].factor)
			return false;
		*out = value * units[i].factor;
		return true;
	}
	return false;
}

static const struct unit *largest_unit(const struct unit *units, uint64_t value)
{
	while (units->factor > 1 && value % units->factor != 0)
		units++;
	return units;
}

bool cfg_parse_duration(const char *text, duration *out)
{
	uint64_t ns;

	if (!parse_with_unit(text, duration_units, ARRAY_SIZE(duration_units), DURATION_MAX, &ns))
		return false;
	*out = DUR_NS(ns);
	return true;
}

char *cfg_format_duration(duration d)
{
	const struct unit *u = largest_unit(duration_units, (uint64_t)d.ns);

	if (d.ns == 0)
		return xstrdup("0s");
	return xasprintf("%lld%s", (long long)((uint64_t)d.ns / u->factor), u->suffix);
}

bool cfg_parse_size(const char *text, uint64_t *out)
{
	return parse_with_unit(text, size_units, ARRAY_SIZE(size_units), SIZE_BYTES_MAX, out);
}

char *cfg_format_size(uint64_t size)
{
	const struct unit *u = largest_unit(size_units, size);

	if (size == 0)
		return xstrdup("0");
	return xasprintf("%llu%s", (unsigned long long)(size / u->factor), u->suffix);
}

bool cfg_parse_uint(const char *text, uint64_t *out)
{
	uint64_t value;

	if (!take_digits(&text, &value) || *text != '\0')
		return false;
	*out = value;
	return true;
}

bool cfg_parse_bool(const char *text, bool *out)
{
	static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(text, words[i]) == 0) {
			*out = i % 2 == 1;
			return true;
		}
	}
	return false;
}

/* "-12.5" at *text; moves *text behind it. At most 5 digits before the point: no unit here needs
 * more, and none may become an infinity. */
static bool take_decimal(const char **text, double *out)
{
	const char *p = *text;
	size_t whole, fraction = 0;
	double value;

	if (*p == '-' || *p == '+')
		p++;
	whole = strspn(p, "0123456789");
	if (whole == 0 || whole > 5)
		return false;
	p += whole;
	if (*p == '.') {
		fraction = strspn(p + 1, "0123456789");
		if (fraction == 0)
			return false;
		p += 1 + fraction;
	}
	value = strtod(*text, NULL);
	*out = value == 0 ? 0 : value; /* no minus zero */
	*text = p;
	return true;
}

/* Nine places (a tenth of a millimetre on the ground) without zeros at the end. */
static char *format_decimal(double value)
{
	char *text = xasprintf("%.9f", value);
	size_t len = strlen(text);

	while (text[len - 1] == '0')
		len--;
	if (text[len - 1] == '.')
		len--;
	text[len] = '\0';
	if (strcmp(text, "-0") == 0)
		strcpy(text, "0");
	return text;
}

bool cfg_parse_coords(const char *text, struct cfg_coords *out)
{
	struct cfg_coords c = {.set = true};

	if (!take_decimal(&text, &c.latitude) || *text++ != ',')
		return false;
	while (*text == ' ')
		text++;
	if (!take_decimal(&text, &c.longitude) || *text != '\0')
		return false;
	if (c.latitude < -90 || c.latitude > 90 || c.longitude < -180 || c.longitude > 180)
		return false;
	*out = c;
	return true;
}

char *cfg_format_coords(const struct cfg_coords *c)
{
	char *latitude = format_decimal(c->latitude), *longitude = format_decimal(c->longitude);
	char *text = xasprintf("%s,%s", latitude, longitude);

	free(latitude);
	free(longitude);
	return text;
}

bool cfg_parse_km(const char *text, double *out)
{
	double km;

	if (!take_decimal(&text, &km) || strcmp(text, "km") != 0)
		return false;
	*out = km;
	return true;
}

char *cfg_format_km(double km)
{
	char *number = format_decimal(km);
	char *text = xasprintf("%skm", number);

	free(number);
	return text;
}

bool cfg_parse_percent(const char *text, double *out)
{
	double percent;

	if (!take_decimal(&text, &percent) || strcmp(text, "%") != 0)
		return false;
	if (percent < 0 || percent > 100)
		return false;
	*out = percent;
	return true;
}

char *cfg_format_percent(double percent)
{
	char *number = format_decimal(percent);
	char *text = xasprintf("%s%%", number);

	free(number);
	return text;
}

bool cfg_parse_status(const char *text, struct cfg_range *out)
{
	uint64_t low, high;

	if (!take_digits(&text, &low))
		return false;
	high = low;
	if (*text == '-') {
		text++;
		if (!take_digits(&text, &high))
			return false;
	}
	if (*text != '\0' || low < 100 || high > 599 || low > high)
		return false;
	*out = (struct cfg_range){.low = (uint16_t)low, .high = (uint16_t)high};
	return true;
}

char *cfg_format_status(struct cfg_range r)
{
	if (r.low == r.high)
		return xasprintf("%u", r.low);
	return xasprintf("%u-%u", r.low, r.high);
}
