/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Chains are read from their end, which our own proxies wrote: who opens a quote before and never
 * closes it does not hide what comes after.
 */
#include "edge/facts/forwarded.h"

#include <string.h>
#include <strings.h>

bool edge_is_trusted(const struct cfg_prefixes *trusted, const struct net_addr *addr)
{
	struct net_prefix address;

	if (trusted->n == 0)
		return false;
	address = net_prefix_of(addr);
	for (unsigned i = 0; i < trusted->n; i++) {
		if (net_prefix_covers(&trusted->v[i], &address))
			return true;
	}
	return false;
}

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80"; in quotes too.
 */
static bool read_address(struct span text, struct net_addr *addr)
{
	char copy[NET_ADDR_TEXT];

	text = http_trim(text);
	if (text.n >= 2 && text.p[0] == '"' && text.p[text.n - 1] == '"')
		text = (struct span){text.p + 1, text.n - 2};
	if (text.n == 0 || text.n >= sizeof(copy) || text.p[0] == '*' ||
	    memchr(text.p, '\0', text.n) != NULL)
		return false;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	return net_addr_parse(copy, 0, addr);
}

/* Whether the quote at `at` is a part of the text that it stands in (RFC 9110 section 5.6.4). */
static bool is_escaped(struct span list, size_t at)
{
	size_t n = 0;

	while (n < at && list.p[at - n - 1] == '\\')
		n++;
	return n % 2 != 0;
}

/* The last of `divider` that is in no quotes; NULL: there is none. */
static const char *last_divider(struct span list, char divider)
{
	bool quoted = false;

	for (size_t i = list.n; i > 0; i--) {
		char c = list.p[i - 1];

		if (c == '"' && !(quoted && is_escaped(list, i - 1)))
			quoted = !quoted;
		else if (c == divider && !quoted)
			return list.p + i - 1;
	}
	return NULL;
}

/* The last member of a list, which is taken off; false when nothing is left. */
static bool take_last(struct span *list, char divider, struct span *member)
{
	const char *at;

	if (list->p == NULL)
		return false;
	at = last_divider(*list, divider);
	if (at == NULL) {
		*member = *list;
		*list = (struct span){NULL, 0};
		return true;
	}
	*member = (struct span){at + 1, list->n - (size_t)(at + 1 - list->p)};
	list->n = (size_t)(at - list->p);
	return true;
}

/* The value of "for" in "for=192.0.2.1;proto=https". */
static bool read_for(struct span element, struct net_addr *client)
{
	struct span pair;

	while (take_last(&element, ';', &pair)) {
		pair = http_trim(pair);
		if (pair.n > 4 && strncasecmp(pair.p, "for=", 4) == 0)
			return read_address((struct span){pair.p + 4, pair.n - 4}, client);
	}
	return false;
}

typedef bool read_member(struct span member, struct net_addr *client);

/* Fields of a name are one list, of which the last one has the end. */
static bool from_chain(const struct http_fields *fields, struct span name, read_member *read,
		       const struct cfg_prefixes *trusted, struct net_addr *client)
{
	for (unsigned i = fields->n; i > 0; i--) {
		const struct http_field *field = &fields->v[i - 1];
		struct span list = field->value, member;

		if (!span_equal_nocase(field->name, name))
			continue;
		while (take_last(&list, ',', &member)) {
			if (http_trim(member).n == 0)
				continue;
			if (!read(member, client))
				return false;
			if (!edge_is_trusted(trusted, client))
				return true;
		}
	}
	return false;
}

bool edge_forwarded_client(const struct http_head *request, const struct cfg_prefixes *trusted,
			   struct net_addr *client)
{
	const struct http_fields *fields = &request->fields;
	struct span name = SPAN("X-Forwarded-For");

	if (http_fields_find(fields, name, NULL) != NULL)
		return from_chain(fields, name, read_address, trusted, client);
	return from_chain(fields, SPAN("Forwarded"), read_for, trusted, client);
}
