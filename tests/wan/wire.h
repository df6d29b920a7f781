/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A client's TLS connection with one deadline for all that happens on it, by OpenSSL: another
 * library than the edge's own, so that neither agrees with itself about a mistake.
 */
#pragma once

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/clock.h"

struct wire {
	int fd;
	SSL *ssl;
	mono_time end;
	mono_time started, connected, secured; /* connect() called; TCP and TLS established */
};

/* All but `early` must be there. The answers to wire_open() when it fails are on stderr. */
struct wire_plan {
	SSL_CTX *ctx;
	struct sockaddr_in to;
	const char *host;     /* for SNI, and the name that the certificate must have */
	const char *alpn;     /* protocols as in the extension: each after its length */
	SSL_SESSION *session; /* NULL: a full handshake */
	const char *early;    /* sent as early data when the session allows it; NULL: nothing */
	mono_time end;
};

bool wire_open(struct wire *wire, const struct wire_plan *plan);
void wire_close(struct wire *wire);

bool wire_write(struct wire *wire, const void *data, size_t length);

/* At least one byte; 0 when the other side has ended the stream, or on failure (said on stderr). */
size_t wire_read(struct wire *wire, void *data, size_t size);

/* The ALPN protocol that the server chose, "" for none. */
void wire_protocol(const struct wire *wire, char *name, size_t size);
