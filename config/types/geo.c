/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Types of countries and continents, by the codes that MaxMind's databases use. Any thread.
 */
#include "config/types/types.h"

#include <ctype.h>
#include <string.h>

#include "core/base/check.h"

/* ISO 3166-1 alpha-2, and XK, by which databases know Kosovo. */
static const char countries[] =
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR "
    "BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ "
    "EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW "
    "GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY "
    "KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV "
    "MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY "
    "QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG "
    "TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA "
    "ZM ZW";
static const char continents[] = "AF AN AS EU NA OC SA";

/* Codes may be written in either case. False: complained about. */
static bool parse_code(const struct cfg_value *v, const char *text, const char *known, void *out)
{
	char code[3] = {0};
	const char *at;

	if (strlen(text) != 2)
		return cfg_refuse(v, text);
	for (unsigned i = 0; i < 2; i++)
		code[i] = (char)toupper((unsigned char)text[i]);
	/* What is found across two codes would hold a space. */
	at = isalpha((unsigned char)code[0]) && isalpha((unsigned char)code[1])
		 ? strstr(known, code)
		 : NULL;
	if (at == NULL && strcmp(code, "UK") == 0)
		return cfg_refuse_because(v, text, "the code of the United Kingdom is GB");
	return at != NULL ? cfg_keep(v, code, out) : cfg_refuse(v, text);
}

static char *format_code(const struct cfg_option *option, const void *value)
{
	const char *code = *(const char *const *)value;

	return xstrdup(code);
}

static bool parse_country(const struct cfg_value *v, const char *text, void *out)
{
	return parse_code(v, text, countries, out);
}

const struct cfg_type cfg_type_country = {
    .name = "country",
    .expected = "the code of a country by ISO 3166-1, such as DE or US",
    .pattern = "^[A-Za-z]{2}$",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_country,
    .format = format_code,
};

static bool parse_continent(const struct cfg_value *v, const char *text, void *out)
{
	return parse_code(v, text, continents, out);
}

const struct cfg_type cfg_type_continent = {
    .name = "continent",
    .expected = "a continent: AF, AN, AS, EU, NA, OC or SA",
    .pattern = "^([Aa][FfNnSs]|[Ee][Uu]|[Nn][Aa]|[Oo][Cc]|[Ss][Aa])$",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_continent,
    .format = format_code,
};

/* Of an edge, which need not say. */
static bool parse_own_continent(const struct cfg_value *v, const char *text, void *out)
{
	return *text == '\0' ? cfg_keep(v, text, out) : parse_continent(v, text, out);
}

const struct cfg_type cfg_type_own_continent = {
    .name = "continent",
    .expected = "a continent (AF, AN, AS, EU, NA, OC or SA), or \"\"",
    .pattern = "^([Aa][FfNnSs]|[Ee][Uu]|[Nn][Aa]|[Oo][Cc]|[Ss][Aa])?$",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_own_continent,
    .format = format_code,
};
