/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a ClientHello offers (RFC 8446, 4.1.2; the same in TLS 1.2), before the TLS library sees it:
 * to refuse early, to count, and for a fingerprint. What it all means is left to the library. Pure;
 * any thread.
 */
#pragma once

#include <stdbool.h>

#include "core/http/message.h"

/* Numbers of two bytes, as they stand there; an odd last byte is none. */
struct edge_u16s {
	const uint8_t *p;
	size_t n; /* numbers */
};

static inline uint16_t edge_u16s_get(struct edge_u16s list, size_t i)
{
	return (uint16_t)(list.p[2 * i] << 8 | list.p[2 * i + 1]);
}

bool edge_u16s_have(struct edge_u16s list, uint16_t number);

/* Points into the message. A list that is not there is empty. */
struct edge_client_hello {
	uint16_t legacy_version;
	struct edge_u16s suites;
	struct edge_u16s versions;   /* supported_versions */
	struct edge_u16s groups;     /* supported_groups */
	struct edge_u16s signatures; /* signature_algorithms */
	struct span protocol;        /* the first of ALPN */
	struct span extensions;      /* all of them, for edge_client_hello_next() */
	bool has_name;               /* server_name */
	bool compresses;             /* another method than none is offered */
};

/* Numbers of extensions (IANA, TLS ExtensionType Values). */
enum edge_extension {
	EDGE_EXTENSION_SERVER_NAME = 0,
	EDGE_EXTENSION_GROUPS = 10,
	EDGE_EXTENSION_SIGNATURES = 13,
	EDGE_EXTENSION_ALPN = 16,
	EDGE_EXTENSION_VERSIONS = 43,
};

/* What clients name so that nobody relies on knowing all (RFC 8701): of suites, versions, groups,
 * signatures and extensions. */
static inline bool edge_is_grease(uint16_t number)
{
	return (number & 0x0f0f) == 0x0a0a && number >> 8 == (number & 0xff);
}

/* What follows the header of the message that begins `wire`, which is whole (EDGE_HELLO_WHOLE of
 * edge/conn/hello.h), in one piece. When it lies in several records that is a copy, *copy, which is
 * malloc'd; else NULL. False: no memory. */
bool edge_client_hello_gather(struct span wire, struct span *message, char **copy);
/* False when it breaks its own framing, or that of the lists above. */
bool edge_client_hello_parse(struct span message, struct edge_client_hello *hello);

/* The next of `rest`, which begins as hello->extensions; false at the end. */
bool edge_client_hello_next(struct span *rest, uint16_t *type, struct span *data);

/* The highest version that is offered (0x0304: TLS 1.3), without GREASE. */
uint16_t edge_client_hello_version(const struct edge_client_hello *hello);
/* Whether that one is offered; by a client without supported_versions, all up to its legacy_version
 * but TLS 1.3. */
bool edge_client_hello_offers(const struct edge_client_hello *hello, uint16_t version);
