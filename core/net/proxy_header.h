/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The PROXY protocol, versions 1 and 2 (HAProxy's doc/proxy-protocol.txt): the few bytes with which
 * a proxy begins a connection to say for whom it was made. Pure: bytes in, value out. Whom to
 * believe, how long to wait and what the bytes are read from is the caller's business. Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/base/addr.h"

/* The longest header that is understood: the fixed part of version 2 and what follows it. Two
 * addresses take 36 bytes; load balancers add less than a hundred, and 4096 is all that nginx
 * reads. Version 1 ends after 107 bytes at the latest. */
#define PROXY_HEADER_MAX (16 + 4096)
/* The longest header that proxy_header_write() writes: version 1 with two IPv6 addresses. */
#define PROXY_HEADER_WRITE_MAX 104
/* With what proxy_header_append() adds to it. A certificate's common name is what could be long,
 * and all that is sent fits in one segment. */
#define PROXY_HEADER_LONGEST 1024
#define PROXY_HEADER_TLVS_MAX (PROXY_HEADER_LONGEST - PROXY_HEADER_WRITE_MAX)

enum proxy_header_result {
	PROXY_HEADER_OK,
	PROXY_HEADER_MORE, /* no fault so far; never with PROXY_HEADER_MAX bytes or more */
	PROXY_HEADER_BAD,  /* not a header, whatever may follow: the connection is to end */
};

struct proxy_header {
	/* The connection's own addresses stand; those below are AF_UNSPEC. Said by UNKNOWN in
	 * version 1 and LOCAL in version 2, and the same for what is not TCP over IPv4 or IPv6. */
	bool local;
	struct net_addr source, destination; /* of the connection that the proxy has accepted */
};

/* Reads the header at the start of `buf`, which holds all that has come so far. *out and *used, the
 * length of the header, are set with PROXY_HEADER_OK only. A checksum (PP2_TYPE_CRC32C) must be
 * right; other TLVs are skipped but must fit. Where the addresses do not count, as above, nothing
 * but the length of what follows the fixed part is looked at. */
enum proxy_header_result proxy_header_parse(const char *buf, size_t len, struct proxy_header *out,
					    size_t *used);

/* Writes a header of version 1 or 2 for TCP; IPv4-mapped addresses count as IPv4, and an IPv4
 * address beside an IPv6 one is written as IPv4-mapped. `source` NULL: nobody's connection but our
 * own (UNKNOWN, LOCAL). Returns its length, at most PROXY_HEADER_WRITE_MAX, or 0 when `cap` is too
 * small. */
size_t proxy_header_write(unsigned version, const struct net_addr *source,
			  const struct net_addr *destination, char *out, size_t cap);

/* A connection by TLS, as TLVs tell of it. What is NULL, "", or longer than 255 bytes, or does not
 * fit any more, is left out whole. */
struct proxy_header_tls {
	const char *alpn;        /* "h2" */
	const char *authority;   /* the name in the ClientHello */
	const char *version;     /* "TLSv1.3" */
	const char *cipher;      /* "TLS_AES_128_GCM_SHA256" */
	const char *common_name; /* of the client's certificate, in UTF-8 */
	bool certificate;        /* the client has given one, in this session */
	bool certificate_now;    /* in the handshake of this connection */
	bool verified;           /* and it is valid */
};

/* Writes PP2_TYPE_ALPN, PP2_TYPE_AUTHORITY and PP2_TYPE_SSL, in this order. Returns their length.
 */
size_t proxy_header_write_tlvs(const struct proxy_header_tls *tls,
			       char out[static PROXY_HEADER_TLVS_MAX]);
/* Adds TLVs, `n` bytes and at most PROXY_HEADER_TLVS_MAX, to a header of version 2 that
 * proxy_header_write() has written, of `len` bytes. Returns its length now. */
size_t proxy_header_append(char header[static PROXY_HEADER_LONGEST], size_t len, const char *tlvs,
			   size_t n);
