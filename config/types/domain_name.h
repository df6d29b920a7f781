/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a host or domain name may look like. Pure; any thread.
 */
#pragma once

/* RFC 1035 section 2.3.4: 255 bytes on the wire are 253 characters of text. */
#define CFG_DOMAIN_MAX 253

enum cfg_name_flags {
	CFG_NAME_UNDERSCORE = 1, /* DNS owners and names of internal hosts have it, web hosts not */
	CFG_NAME_SLASH = 2,      /* zones of less than an octet of addresses (RFC 2317) */
};

/* Why `name` is not a domain name of letters, digits and hyphens (RFC 1123 section 2.1), or NULL.
 * A dot at the end is a fault. */
const char *cfg_domain_fault(const char *name, unsigned flags);
/* The same, and a last label of digits only is refused too, unless it is an IPv4 address (RFC 3696
 * section 2: there is no such top-level domain, so it is a mistyped address). */
const char *cfg_host_fault(const char *name, unsigned flags);
void cfg_name_lower(char *name);
