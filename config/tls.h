/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * tls: how every edge speaks TLS with clients. A part of config/fleet.h.
 */
#pragma once

#include "config/limit.h"
#include "config/values.h"
#include "core/base/clock.h"

/* Where perigee-keys listens, unless told otherwise. */
#define CFG_KEYS_PORT 8853

/* As many as workers; more with keys on another machine. */
#define CFG_THREADS_AUTO (~0U)

/* Where the private keys of certificates are. */
enum cfg_keys_place {
	CFG_KEYS_PROCESS,
	CFG_KEYS_SIGNER, /* in a process of their own */
	CFG_KEYS_REMOTE, /* on another machine, which runs perigee-keys */
};

struct cfg_keys {
	unsigned place;       /* enum cfg_keys_place */
	struct cfg_rate rate; /* with CFG_KEYS_REMOTE: for each edge */
	/* With CFG_KEYS_REMOTE; else NULL and 0. */
	struct cfg_server *servers; /* without a port: CFG_KEYS_PORT */
	unsigned n_servers;
	const char *certificate, *key; /* paths of what this machine shows to the other */
	const char *ca;                /* path of whom both trust */
	const char *crl;               /* path; NULL: none */
	struct cfg_addrs listen;       /* of perigee-keys, as all below; default: *:8853 */
	const char *control;
};

/* RFC 8879. */
enum cfg_certificate_compression {
	CFG_CERTIFICATE_ZLIB,
	CFG_CERTIFICATE_BROTLI,
	CFG_CERTIFICATE_ZSTD,
	CFG_CERTIFICATE_COMPRESSIONS,
};

/* Clients that name no host, or one that no certificate is for. */
enum cfg_unknown_host {
	CFG_UNKNOWN_HOST_DEFAULT, /* are shown the first certificate */
	CFG_UNKNOWN_HOST_REFUSE,
};

/* tls.tickets: how sessions are resumed. */
struct cfg_tickets {
	const char *keys;  /* directory; NULL: the process has a key of its own */
	unsigned count;    /* that a client of TLS 1.3 is given; 0: none is resumed */
	duration lifetime; /* whole seconds; 1 day */
};

struct cfg_tls {
	const char *profile;        /* for tls_profile_create() */
	unsigned handshake_threads; /* or CFG_THREADS_AUTO; 0: workers do it themselves */
	struct cfg_keys keys;
	enum cfg_unknown_host unknown_host;
	bool ocsp;                                /* responses are fetched and shown */
	struct cfg_uints certificate_compression; /* in order of preference; none */
	struct cfg_tickets tickets;
	uint64_t early_data; /* the most that is taken of a connection; 16 KiB */
};

/* How many threads an edge of so many workers has for handshakes. */
unsigned cfg_handshake_threads(const struct cfg_tls *tls, unsigned n_workers);
