/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * sites.NAME: hosts that are served together. Constants only.
 */
#include "config/options/rows.h"

COMES_FIRST(cfg_site, name);
IS_ARRAY(cfg_site, certificates);
IS_ARRAY(cfg_site, routes);
IS_ARRAY(cfg_site, access);
IS_ARRAY(cfg_site, errors);
IS_ARRAY(cfg_site, limits);
IS_ARRAY(cfg_site, edges);

static const struct cfg_option certificates_options[] = {
    {.key = "certificate",
     .type = &cfg_type_path,
     AT(cfg_certificate, certificate),
     .required = true,
     .prose = "PEM file of the certificate, followed by those of its issuers."},
    {.key = "key",
     .type = &cfg_type_key,
     AT(cfg_certificate, key),
     .required = true,
     .prose = "PEM file of its private key. A PKCS #11 URL (RFC 7512) stands for one on a token, "
	      "such as \"pkcs11:token=www;object=key;type=private?pin-source=/etc/perigee/pin\"."},
    END,
};

static const char *const client_modes[] = {"off", "optional", "required", NULL};
static const char *const client_fields[] = {
    "certificate", "chain", "subject", "issuer", "serial", "sans", "fingerprint", "verdict", NULL};

#define ASKED                                                                                      \
	WHEN("mode",                                                                               \
	     1U << CFG_CLIENT_CERTIFICATES_OPTIONAL | 1U << CFG_CLIENT_CERTIFICATES_REQUIRED)

static const struct cfg_option client_certificates_options[] = {
    CHOICE("mode", AT(cfg_client_certificates, mode), "off", client_modes,
	   "Whether clients are asked for a certificate: with \"required\" none gets in without a "
	   "valid one; with \"optional\" all do, and {client_cert.verdict} says what was made of "
	   "theirs."),
    {.key = "ca_file",
     .type = &cfg_type_path,
     AT(cfg_client_certificates, ca_file),
     ASKED,
     .prose = "PEM file of the authorities that clients' certificates may come from; clients are "
	      "told their names."},
    {.key = "crl_file",
     .type = &cfg_type_path,
     AT(cfg_client_certificates, crl_file),
     ASKED,
     .prose = "PEM file of those authorities' lists of revoked certificates; with it no "
	      "certificate is valid that no current list of its issuer is there for."},
    {.key = "fields",
     .shape = CFG_VALUES,
     .type = &cfg_type_choice,
     AT(cfg_client_certificates, fields),
     ASKED,
     .choices = client_fields,
     .prose = "What origins are told of a valid certificate: \"certificate\" is itself, in "
	      "Client-Cert, and \"chain\" those that came with it, in Client-Cert-Chain (RFC "
	      "9440); \"subject\" goes in Client-Cert-Subject, and so on."},
    END,
};

const struct cfg_option cfg_site_options[] = {
    {.key = "hosts",
     .shape = CFG_VALUES,
     .type = &cfg_type_host_pattern,
     AT(cfg_site, hosts),
     .required = true,
     .prose = "Its host names; \"*.example.com\" stands for all names under example.com."},
    {.key = "certificates",
     .shape = CFG_ITEMS,
     AT(cfg_site, certificates),
     .required = true,
     OF(cfg_certificate),
     .prose = "Its certificates with their keys; for instance one ECDSA and one RSA.",
     .children = certificates_options},
    SECTION_AT("client_certificates", AT(cfg_site, client_certificates),
	       "Certificates by which clients say who they are (mutual TLS); see \"Certificates of "
	       "clients\" in perigee-edge(8).",
	       client_certificates_options),
    {.key = "routes",
     .shape = CFG_ITEMS,
     AT(cfg_site, routes),
     .required = true,
     OF(cfg_route),
     .prose = "What happens to which requests. Of the routes that match, the one with the longest "
	      "path is taken; of equal paths the exact ones first, then the first in this order.",
     .children = cfg_route_options},
    {.key = "compression",
     .shape = CFG_SECTION,
     AT(cfg_site, compression),
     OF(cfg_compression),
     .prose = "Which responses the edge compresses, from routes that do not say so themselves.",
     .children = cfg_compression_options,
     .shorthand = "enabled"},
    ACCESS(AT(cfg_site, access), "Who may come here, of those whom http.access lets in; as there."),
    LIMITS(AT(cfg_site, limits), "How many requests in a time the site takes; as http.limits."),
    {.key = "errors",
     .shape = CFG_ITEMS,
     AT(cfg_site, errors),
     OF(cfg_error_page),
     .prose = "Error pages of all its routes, and of requests that none of them matches.",
     .children = cfg_errors_options},
    SECTION_AT("hsts", AT(cfg_site, hsts),
	       "Strict-Transport-Security, in responses over TLS, in place of what an origin says.",
	       cfg_hsts_options),
    CHOICE("security", AT(cfg_site, security), "none", cfg_securities,
	   "Fields of security that responses get if they have none of that name: see \"Presets\" "
	   "in perigee-edge(8)."),
    {.key = "edges",
     .shape = CFG_VALUES,
     .type = &cfg_type_edge_ref,
     AT(cfg_site, edges),
     .prose = "The edges that serve it; all that take clients when there are none here."},
    END,
};
