/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * tls: how every edge speaks TLS with clients. Constants only.
 */
#include "config/options/rows.h"
#include "core/net/handshakes.h"
#include "core/net/tls_profile.h"
#include "core/tls/early.h"

/* RFC 8446 section 4.6.1: "Servers MUST NOT use any value greater than 604800 seconds (7 days)". */
#define LIFETIME_MAX (7 * DAY)

static const struct cfg_option ticket_options[] = {
    {.key = "keys",
     .type = &cfg_type_path,
     AT(cfg_tls, tickets.keys),
     .prose =
	 "A directory with the keys that all edges share, made by perigeectl ticket-key: a "
	 "session that has begun at one edge is resumed at any other. Each edge needs the same "
	 "files. Without it sessions are resumed at the edge where they began, until it is "
	 "started anew. How keys change is told in perigee-edge(8)."},
    COUNT("count", AT(cfg_tls, tickets.count), "1", 0, 8,
	  "How many tickets a client of TLS 1.3 is given with its first response; a client of TLS "
	  "1.2 is given one. 0: none, no session is resumed."),
    {.key = "lifetime",
     .type = &cfg_type_duration,
     AT(cfg_tls, tickets.lifetime),
     .fallback = "1d",
     RANGE(60 * SECOND, LIFETIME_MAX),
     .prose = "How long a session may be resumed after its full handshake. All edges must have the "
	      "same: tickets that were given before it was changed lead to a full handshake."},
    END,
};

_Static_assert(offsetof(struct cfg_keys, n_servers) ==
		   offsetof(struct cfg_keys, servers) + offsetof(struct cfg_array, n),
	       "cfg_keys.servers");

static const char *const unknown_hosts[] = {"default", "refuse", NULL};
static const char *const compressions[] = {"zlib", "brotli", "zstd", NULL};
static const char *const places[] = {"process", "signer", "remote", NULL};

#define WHEN_REMOTE WHEN("place", 1U << CFG_KEYS_REMOTE)

static const struct cfg_option keys_options[] = {
    {.key = "place",
     .type = &cfg_type_choice,
     AT(cfg_tls, keys.place),
     .fallback = "process",
     .choices = places,
     .reload = CFG_RESTART,
     .prose =
	 "Where they are: in the edge itself, or in its \"signer\", a process that signs "
	 "handshakes for it and nothing else, so that whoever takes over the edge does not get "
	 "them; or \"remote\", on another machine that runs perigee-keys, so that the edge's has "
	 "none at all; see perigee-edge(8), perigee-keys(8), and user."},
    {.key = "rate",
     .type = &cfg_type_rate,
     AT(cfg_tls, keys.rate),
     .fallback = "0",
     .reload = CFG_RESTART,
     WHEN("place", 1U << CFG_KEYS_SIGNER | 1U << CFG_KEYS_REMOTE),
     .prose = "How many signatures the signer makes at most, such as \"2000/s\", or perigee-keys "
	      "for each edge; handshakes that want more fail. 0: any number."},
    {.key = "servers",
     .shape = CFG_VALUES,
     .type = &cfg_type_server,
     AT(cfg_tls, keys.servers),
     OF(cfg_server),
     .reload = CFG_RESTART,
     WHEN_REMOTE,
     .prose = "Where perigee-keys listens: names or addresses, and a port, 8853 if there is none. "
	      "The first that answers is asked; 8 at most. Where keys are remote, there must be "
	      "servers, certificate, key and ca."},
    {.key = "certificate",
     .type = &cfg_type_path,
     AT(cfg_tls, keys.certificate),
     .reload = CFG_RESTART,
     WHEN_REMOTE,
     .prose = "PEM file of the certificate that this machine shows to the other, followed by those "
	      "of its issuers. That of an edge names the edge, and is for clients of TLS; that of "
	      "perigee-keys names its host or address as it stands in servers, and is for "
	      "servers."},
    {.key = "key",
     .type = &cfg_type_path,
     AT(cfg_tls, keys.key),
     .reload = CFG_RESTART,
     WHEN_REMOTE,
     .prose = "PEM file of its private key."},
    {.key = "ca",
     .type = &cfg_type_path,
     AT(cfg_tls, keys.ca),
     .reload = CFG_RESTART,
     WHEN_REMOTE,
     .prose = "PEM file of the authorities that both certificates may come from, and nobody else's "
	      "should."},
    {.key = "crl",
     .type = &cfg_type_path,
     AT(cfg_tls, keys.crl),
     WHEN_REMOTE,
     .prose = "PEM file of lists of revoked certificates (CRL), one of each authority in ca and "
	      "signed by it, that perigee-keys looks into. One that is out of date still counts, "
	      "with a warning when it is read."},
    {.key = "listen",
     .shape = CFG_VALUES,
     .type = &cfg_type_listen,
     AT(cfg_tls, keys.listen),
     .fallback = "*:8853",
     .reload = CFG_RESTART,
     WHEN_REMOTE,
     .prose = "Where perigee-keys listens."},
    {.key = "control",
     .type = &cfg_type_socket,
     AT(cfg_tls, keys.control),
     .fallback = "/run/perigee/keys.sock",
     .reload = CFG_RESTART,
     WHEN_REMOTE,
     .prose = "The control socket of perigee-keys, which perigeectl talks to."},
    END,
};

const struct cfg_option cfg_tls_options[] = {
    {.key = "profile",
     .type = &cfg_type_tls_profile,
     AT(cfg_tls, profile),
     .fallback = TLS_PROFILE_INTERMEDIATE,
     .prose = "What is spoken: \"modern\" is TLS 1.3 only, \"intermediate\" TLS 1.2 too, by "
	      "ECDHE with AEAD; or a priority string of GnuTLS such as "
	      "\"SECURE192:-VERS-ALL:+VERS-TLS1.3\", which says all of it."},
    {.key = "handshake_threads",
     .type = &cfg_type_threads,
     AT(cfg_tls, handshake_threads),
     .fallback = "auto",
     .reload = CFG_RESTART,
     RANGE(0, HANDSHAKES_THREADS_MAX),
     .prose = "Threads that sign, by RSA or by the signer, and verify certificates of clients, in "
	      "handshakes with clients, so that workers go on with requests meanwhile; \"auto\" is "
	      "one for each worker, or 64 for each, 1024 at most, where keys are on another "
	      "machine, which takes a round trip; with 0 the workers do it themselves."},
    CHOICE("unknown_host", AT(cfg_tls, unknown_host), "default", unknown_hosts,
	   "What becomes of clients that name no host, or one that no certificate is for: they are "
	   "shown the first certificate of each key type as a \"default\", or \"refuse\" has them "
	   "refused by the alert unrecognized_name."),
    {.key = "ocsp",
     .type = &cfg_type_bool,
     AT(cfg_tls, ocsp),
     .fallback = "yes",
     .prose = "Whether the responders that certificates name are asked about them (OCSP), so that "
	      "clients are shown a fresh response with the certificate."},
    {.key = "certificate_compression",
     .shape = CFG_VALUES,
     .type = &cfg_type_choice,
     AT(cfg_tls, certificate_compression),
     .choices = compressions,
     .prose =
	 "How certificates are compressed for clients that can take it (RFC 8879), in order of "
	 "preference; by default not. It saves about a third of their bytes, and costs work in "
	 "each handshake that is not resumed. What the GnuTLS at hand lacks is left out, with a "
	 "warning."},
    SECTION("keys", "The private keys of certificates.", keys_options),
    SECTION("tickets",
	    "How sessions are resumed, which saves a client the certificate and the edge a "
	    "signature.",
	    ticket_options),
    BYTES("early_data", AT(cfg_tls, early_data), "16KiB", KIB, TLS_EARLY_MAX,
	  "The most that a client may send as early data (0-RTT), before the handshake is done. "
	  "None is taken unless a route says early_data."),
    END,
};
