/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rules of host and domain names. Any thread.
 */
#include "config/types/domain_name.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "core/base/addr.h"

/* RFC 1035 section 2.3.4. */
#define LABEL_MAX 63

void cfg_name_lower(char *name)
{
	for (; *name != '\0'; name++)
		*name = (char)tolower((unsigned char)*name);
}

static bool is_allowed(unsigned char c, unsigned flags)
{
	return isalnum(c) || c == '-' || (c == '_' && (flags & CFG_NAME_UNDERSCORE)) ||
	       (c == '/' && (flags & CFG_NAME_SLASH));
}

static const char *label_fault(const char *label, size_t len, unsigned flags)
{
	if (len == 0)
		return "an empty label: a dot at the start, at the end, or two in a row";
	if (len > LABEL_MAX)
		return "a label of a name may have 63 characters";
	if (label[0] == '-' || label[len - 1] == '-')
		return "a label of a name may not begin or end with \"-\"";
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)label[i];

		if (c >= 0x80)
			return "write an international name in its ASCII form, \"xn--...\"";
		if (!is_allowed(c, flags))
			return "a name has letters, digits, \"-\" and \".\" only";
	}
	return NULL;
}

const char *cfg_domain_fault(const char *name, unsigned flags)
{
	const char *fault = NULL;

	if (strlen(name) > CFG_DOMAIN_MAX)
		return "a name may have 253 characters";
	for (;;) {
		size_t len = strcspn(name, ".");

		fault = label_fault(name, len, flags);
		if (fault != NULL || name[len] == '\0')
			return fault;
		name += len + 1;
	}
}

const char *cfg_host_fault(const char *name, unsigned flags)
{
	const char *fault = cfg_domain_fault(name, flags), *last = strrchr(name, '.');
	struct net_addr a;

	if (fault != NULL)
		return fault;
	last = last != NULL ? last + 1 : name;
	if (last[strspn(last, "0123456789")] == '\0' && !net_addr_parse(name, 0, &a))
		return "this looks like an address, but is none";
	return NULL;
}
