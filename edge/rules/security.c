/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The presets, as tables. "basic" is what hardly any page is broken by; "strict" is for pages that
 * load nothing from elsewhere and are framed by nobody. What an origin says itself stays.
 */
#include "edge/rules/security.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

static const struct http_field basic[] = {
    {SPAN("X-Content-Type-Options"), SPAN("nosniff")},
    {SPAN("X-Frame-Options"), SPAN("SAMEORIGIN")},
    {SPAN("Referrer-Policy"), SPAN("strict-origin-when-cross-origin")},
};

static const struct http_field strict[] = {
    {SPAN("X-Content-Type-Options"), SPAN("nosniff")},
    {SPAN("X-Frame-Options"), SPAN("DENY")},
    {SPAN("Referrer-Policy"), SPAN("no-referrer")},
    {SPAN("Content-Security-Policy"),
     SPAN("default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'; "
	  "object-src 'none'")},
    {SPAN("Permissions-Policy"), SPAN("camera=(), geolocation=(), microphone=(), payment=()")},
    {SPAN("Cross-Origin-Opener-Policy"), SPAN("same-origin")},
    {SPAN("Cross-Origin-Resource-Policy"), SPAN("same-origin")},
};

/* Of use to nobody but who looks for a version with a known hole. */
static const struct span told[] = {
    SPAN("Server"),
    SPAN("X-Powered-By"),
    SPAN("X-AspNet-Version"),
    SPAN("X-AspNetMvc-Version"),
};

struct span edge_hsts_value(const struct cfg_hsts *hsts)
{
	if (hsts->max_age.ns == 0)
		return (struct span){NULL, 0};
	return span_of(xasprintf("max-age=%lld%s%s", (long long)(hsts->max_age.ns / DUR_S(1).ns),
				 hsts->subdomains ? "; includeSubDomains" : "",
				 hsts->preload ? "; preload" : ""));
}

static bool add_missing(struct http_head *response, const struct http_field *fields, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!http_fields_find(&response->fields, fields[i].name, NULL) &&
		    !http_fields_add(&response->fields, response->arena, fields[i].name,
				     fields[i].value))
			return false;
	}
	return true;
}

bool edge_security_apply(enum cfg_security preset, struct http_head *response)
{
	switch (preset) {
	case CFG_SECURITY_NONE:
		break;
	case CFG_SECURITY_BASIC:
		return add_missing(response, basic, ARRAY_SIZE(basic));
	case CFG_SECURITY_STRICT:
		for (size_t i = 0; i < ARRAY_SIZE(told); i++)
			http_fields_remove(&response->fields, told[i]);
		return add_missing(response, strict, ARRAY_SIZE(strict));
	}
	return true;
}
