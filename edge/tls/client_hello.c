/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See client_hello.h. Every length is checked before it is used; nothing is copied.
 */
#include "edge/tls/client_hello.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

#define TLS_1_2 0x0303
#define TLS_1_3 0x0304
#define RANDOM_SIZE 32
#define SESSION_ID_MAX 32
/* Type, two bytes of version, two of length; type, three of length. */
#define RECORD_HEADER 5
#define MESSAGE_HEADER 4

/* The message, out of its records */

static size_t record_length(const char *record)
{
	return (size_t)(unsigned char)record[3] << 8 | (unsigned char)record[4];
}

/* The first `n` bytes of the message and its header. */
static void copy_message(const char *record, char *out, size_t n)
{
	for (size_t got = 0, part; got < n; got += part) {
		part = MIN(record_length(record), n - got);
		memcpy(out + got, record + RECORD_HEADER, part);
		record += RECORD_HEADER + record_length(record);
	}
}

bool edge_client_hello_gather(struct span wire, struct span *message, char **copy)
{
	unsigned char header[MESSAGE_HEADER];
	size_t n;

	CHECK(wire.n >= RECORD_HEADER + MESSAGE_HEADER);
	copy_message(wire.p, (char *)header, MESSAGE_HEADER);
	n = (size_t)header[1] << 16 | (size_t)header[2] << 8 | header[3];
	*copy = NULL;
	*message = (struct span){wire.p + RECORD_HEADER + MESSAGE_HEADER, n};
	if (MESSAGE_HEADER + n <= record_length(wire.p))
		return true;
	*copy = malloc(MESSAGE_HEADER + n);
	if (*copy == NULL)
		return false;
	copy_message(wire.p, *copy, MESSAGE_HEADER + n);
	message->p = *copy + MESSAGE_HEADER;
	return true;
}

/* What it says */

bool edge_u16s_have(struct edge_u16s list, uint16_t number)
{
	for (size_t i = 0; i < list.n; i++) {
		if (edge_u16s_get(list, i) == number)
			return true;
	}
	return false;
}

static bool take(struct span *from, size_t n, struct span *out)
{
	if (n > from->n)
		return false;
	*out = (struct span){from->p, n};
	*from = (struct span){from->p + n, from->n - n};
	return true;
}

/* A number of so many bytes, at most two. */
static bool take_number(struct span *from, unsigned bytes, unsigned *number)
{
	struct span s;

	if (!take(from, bytes, &s))
		return false;
	*number = 0;
	for (unsigned i = 0; i < bytes; i++)
		*number = *number << 8 | (unsigned char)s.p[i];
	return true;
}

/* What stands behind its length, which has so many bytes. */
static bool take_vector(struct span *from, unsigned length_bytes, struct span *out)
{
	unsigned n;

	return take_number(from, length_bytes, &n) && take(from, n, out);
}

static bool to_list(struct span s, struct edge_u16s *list)
{
	*list = (struct edge_u16s){(const uint8_t *)s.p, s.n / 2};
	return s.n > 0 && s.n % 2 == 0;
}

/* An extension that is one list and nothing else. */
static bool parse_list(struct span data, unsigned length_bytes, struct edge_u16s *list)
{
	struct span s;

	return take_vector(&data, length_bytes, &s) && data.n == 0 && to_list(s, list);
}

/* RFC 7301, 3.1: names of at least a byte. Only the first is looked at. */
static bool parse_protocols(struct span data, struct span *first)
{
	struct span names;

	return take_vector(&data, 2, &names) && data.n == 0 && take_vector(&names, 1, first) &&
	       first->n > 0;
}

static bool parse_extension(uint16_t type, struct span data, struct edge_client_hello *hello)
{
	switch (type) {
	case EDGE_EXTENSION_SERVER_NAME:
		hello->has_name = true;
		return true;
	case EDGE_EXTENSION_GROUPS:
		return parse_list(data, 2, &hello->groups);
	case EDGE_EXTENSION_SIGNATURES:
		return parse_list(data, 2, &hello->signatures);
	case EDGE_EXTENSION_ALPN:
		return parse_protocols(data, &hello->protocol);
	case EDGE_EXTENSION_VERSIONS:
		return parse_list(data, 1, &hello->versions);
	default:
		return true;
	}
}

static bool take_extension(struct span *rest, uint16_t *type, struct span *data)
{
	unsigned number;

	if (!take_number(rest, 2, &number) || !take_vector(rest, 2, data))
		return false;
	*type = (uint16_t)number;
	return true;
}

static bool parse_extensions(struct span all, struct edge_client_hello *hello)
{
	struct span data;
	uint16_t type;

	hello->extensions = all;
	while (all.n > 0) {
		if (!take_extension(&all, &type, &data) || !parse_extension(type, data, hello))
			return false;
	}
	return true;
}

bool edge_client_hello_parse(struct span message, struct edge_client_hello *hello)
{
	struct span random, session, suites, methods, extensions;
	unsigned version;

	*hello = (struct edge_client_hello){.legacy_version = 0};
	if (!take_number(&message, 2, &version) || !take(&message, RANDOM_SIZE, &random) ||
	    !take_vector(&message, 1, &session) || session.n > SESSION_ID_MAX ||
	    !take_vector(&message, 2, &suites) || !to_list(suites, &hello->suites) ||
	    !take_vector(&message, 1, &methods) || methods.n == 0)
		return false;
	hello->legacy_version = (uint16_t)version;
	hello->compresses = methods.n > 1 || methods.p[0] != 0;
	/* SSL 3.0 and TLS 1.0 know no extensions. */
	if (message.n == 0)
		return true;
	return take_vector(&message, 2, &extensions) && message.n == 0 &&
	       parse_extensions(extensions, hello);
}

bool edge_client_hello_next(struct span *rest, uint16_t *type, struct span *data)
{
	if (rest->n == 0)
		return false;
	CHECK(take_extension(rest, type, data)); /* it was parsed */
	return true;
}

uint16_t edge_client_hello_version(const struct edge_client_hello *hello)
{
	uint16_t highest = 0;

	if (hello->versions.n == 0)
		return hello->legacy_version;
	for (size_t i = 0; i < hello->versions.n; i++) {
		uint16_t version = edge_u16s_get(hello->versions, i);

		if (!edge_is_grease(version))
			highest = MAX(highest, version);
	}
	return highest;
}

bool edge_client_hello_offers(const struct edge_client_hello *hello, uint16_t version)
{
	if (hello->versions.n > 0)
		return edge_u16s_have(hello->versions, version);
	return version <= MIN(hello->legacy_version, TLS_1_2);
}
