/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * sites.NAME: hosts that are served together. A part of config/fleet.h.
 */
#pragma once

#include "config/route.h"

struct cfg_edge;

/* What the URL of a key on a token begins with. */
#define CFG_PKCS11 "pkcs11:"

struct cfg_certificate {
	const char *certificate; /* paths, relative ones resolved against the file they stand in */
	const char *key;         /* or a PKCS #11 URL */
	struct cfg_place place;
};

enum cfg_client_certificates_mode {
	CFG_CLIENT_CERTIFICATES_OFF,
	CFG_CLIENT_CERTIFICATES_OPTIONAL,
	CFG_CLIENT_CERTIFICATES_REQUIRED,
};

/* What origins are told of a client's certificate, each in a field of its own. */
enum cfg_client_field {
	CFG_CLIENT_FIELD_CERTIFICATE,
	CFG_CLIENT_FIELD_CHAIN,
	CFG_CLIENT_FIELD_SUBJECT,
	CFG_CLIENT_FIELD_ISSUER,
	CFG_CLIENT_FIELD_SERIAL,
	CFG_CLIENT_FIELD_SANS,
	CFG_CLIENT_FIELD_FINGERPRINT,
	CFG_CLIENT_FIELD_VERDICT,
	CFG_CLIENT_FIELDS,
};

struct cfg_client_certificates {
	enum cfg_client_certificates_mode mode;
	const char *ca_file;     /* NULL only when they are off */
	const char *crl_file;    /* NULL: nothing is revoked */
	struct cfg_uints fields; /* enum cfg_client_field */
};

/* sites.NAME: host names that are served together. */
struct cfg_site {
	const char *name;
	struct cfg_place place;
	unsigned id;
	struct cfg_strings hosts; /* lower case; "*.example.com" matches one or more labels */
	struct cfg_certificate *certificates;
	unsigned n_certificates;
	struct cfg_client_certificates client_certificates;
	/* In the order in which they are tried: longest path first, of one path the exact ones
	 * first, then in the order of the file. */
	struct cfg_route *routes;
	unsigned n_routes;
	struct cfg_compression compression; /* of routes that say nothing of it */
	struct cfg_hsts hsts;
	enum cfg_security security;
	struct cfg_access *access;
	unsigned n_access;
	struct cfg_error_page *errors;
	unsigned n_errors;
	struct cfg_limit *limits;
	unsigned n_limits;
	/* Default: all that take clients. Sites with equal lists share one. */
	const struct cfg_edge **edges;
	unsigned n_edges;
	const uint16_t *edge_ids; /* theirs, in order: for cfg_site_is_served_by() */
};
