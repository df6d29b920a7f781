/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Types of what is said about TLS. Any thread.
 */
#include "config/types/types.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "core/net/tls_profile.h"

static bool parse_profile(const struct cfg_value *v, const char *text, void *out)
{
	char *error, *doubts;
	gnutls_priority_t priority = tls_profile_create(text, &error);

	if (priority == NULL) {
		cfg_refuse_because(v, text, error);
		free(error);
		return false;
	}
	doubts = tls_profile_doubts(priority);
	gnutls_priority_deinit(priority);
	if (doubts != NULL)
		diag_warn(v->diag, v->place, "%s: \"%s\" allows what is no longer safe: %s",
			  v->path, text, doubts);
	free(doubts);
	return cfg_keep(v, text, out);
}

static bool fits(char c, char form)
{
	switch (form) {
	case 'v':
		return strchr("0123s", c) != NULL;
	case 'n':
		return c == 'd' || c == 'i';
	case '9':
		return isdigit((unsigned char)c);
	case 'a':
		return isalnum((unsigned char)c);
	case 'x':
		return strchr("0123456789abcdef", c) != NULL;
	default:
		return c == form;
	}
}

/* "t13d1516h2_8daaf6152771_e5627efa2ab1": of TLS over TCP; see edge/tls/ja4.h. */
static bool is_ja4(const char *text)
{
	static const char form[] = "tvvn9999aa_xxxxxxxxxxxx_xxxxxxxxxxxx";
	size_t n = sizeof(form) - 1;

	if (strlen(text) != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!fits(text[i], form[i]))
			return false;
	}
	return true;
}

static bool parse_ja4(const struct cfg_value *v, const char *text, void *out)
{
	return is_ja4(text) ? cfg_keep(v, text, out) : cfg_refuse(v, text);
}

const struct cfg_type cfg_type_ja4 = {
    .name = "JA4",
    .expected = "a JA4 fingerprint such as t13d1516h2_8daaf6152771_e5627efa2ab1",
    .pattern = "^t[0-3s]{2}[di][0-9]{4}[0-9A-Za-z]{2}_[0-9a-f]{12}_[0-9a-f]{12}$",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_ja4,
    .format = cfg_format_text,
};

const struct cfg_type cfg_type_tls_profile = {
    .name = "profile",
    .expected = "modern, intermediate or a priority string of GnuTLS",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_profile,
    .format = cfg_format_text,
};
