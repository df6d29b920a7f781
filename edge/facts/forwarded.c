/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * X-Forwarded-For is read from its end, where it is ours; Forwarded, whose members may be quoted,
 * from its beginning.
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

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct span trim(struct span s)
{
	for (; s.n > 0 && is_blank(s.p[0]); s.p++, s.n--)
		;
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80"; in quotes too.
 */
static bool read_address(struct span text, struct net_addr *addr)
{
	char copy[NET_ADDR_TEXT];

	text = trim(text);
	if (text.n >= 2 && text.p[0] == '"' && text.p[text.n - 1] == '"')
		text = (struct span){text.p + 1, text.n - 2};
	if (text.n == 0 || text.n >= sizeof(copy) || text.p[0] == '*' ||
	    memchr(text.p, '\0', text.n) != NULL)
		return false;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	return net_addr_parse(copy, 0, addr);
}

/* The last member of a list, which is taken off; false when nothing is left. */
static bool take_last(struct span *list, struct span *member)
{
	const char *comma;

	if (list->p == NULL)
		return false;
	comma = list->n > 0 ? memrchr(list->p, ',', list->n) : NULL;
	if (comma == NULL) {
		*member = *list;
		*list = (struct span){NULL, 0};
		return true;
	}
	*member = (struct span){comma + 1, list->n - (size_t)(comma + 1 - list->p)};
	list->n = (size_t)(comma - list->p);
	return true;
}

/* Fields of a name are one list, of which the last one has the end. */
static bool from_x_forwarded_for(const struct http_fields *fields,
				 const struct cfg_prefixes *trusted, struct net_addr *client)
{
	for (unsigned i = fields->n; i > 0; i--) {
		const struct http_field *field = &fields->v[i - 1];
		struct span list = field->value, member;

		if (!span_equal_nocase(field->name, SPAN("X-Forwarded-For")))
			continue;
		while (take_last(&list, &member)) {
			if (trim(member).n == 0)
				continue;
			if (!read_address(member, client))
				return false;
			if (!edge_is_trusted(trusted, client))
				return true;
		}
	}
	return false;
}

/* The value of "for" in "for=192.0.2.1;proto=https". */
static bool read_for(struct span element, struct net_addr *client)
{
	while (element.n > 0) {
		const char *semicolon = memchr(element.p, ';', element.n);
		size_t n = semicolon != NULL ? (size_t)(semicolon - element.p) : element.n;
		struct span pair = trim((struct span){element.p, n});

		if (pair.n > 4 && strncasecmp(pair.p, "for=", 4) == 0)
			return read_address((struct span){pair.p + 4, pair.n - 4}, client);
		if (semicolon == NULL)
			break;
		element = (struct span){semicolon + 1, element.n - n - 1};
	}
	return false;
}

/* Whether a quote that is opened in the field is closed in it. One that a client leaves open would
 * hide from us what a proxy has added behind it. */
static bool is_closed(struct span value)
{
	bool quoted = false;

	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '"')
			quoted = !quoted;
		else if (value.p[i] == '\\' && quoted)
			i++;
	}
	return !quoted;
}

static bool from_forwarded(const struct http_fields *fields, const struct cfg_prefixes *trusted,
			   struct net_addr *client)
{
	const struct http_field *field;
	struct net_addr addr;
	unsigned from = 0;
	bool found = false;

	while ((field = http_fields_find(fields, SPAN("Forwarded"), &from)) != NULL) {
		struct span rest = field->value, element;

		if (!is_closed(rest)) {
			found = false;
			continue;
		}
		while (http_list_next(&rest, &element)) {
			if (!read_for(element, &addr)) {
				found = false;
			} else if (!edge_is_trusted(trusted, &addr)) {
				*client = addr;
				found = true;
			}
		}
	}
	return found;
}

bool edge_forwarded_client(const struct http_head *request, const struct cfg_prefixes *trusted,
			   struct net_addr *client)
{
	const struct http_fields *fields = &request->fields;

	if (http_fields_find(fields, SPAN("X-Forwarded-For"), NULL) != NULL)
		return from_x_forwarded_for(fields, trusted, client);
	return from_forwarded(fields, trusted, client);
}
