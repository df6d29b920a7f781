/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the status document says of certificates. Control thread.
 */
#include "core/base/check.h"
#include "edge/tls/certs_internal.h"

json_t *edge_certs_status(const struct edge_certs *certs)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < certs->n_certs; i++) {
		const struct cert *cert = &certs->certs[i];
		json_t *names = json_array();
		char not_after[32];
		struct tm tm;

		for (unsigned n = 0; n < cert->n_names; n++)
			json_array_append_new(names, json_string(cert->names[n]));
		gmtime_r(&cert->not_after, &tm);
		strftime(not_after, sizeof(not_after), "%Y-%m-%dT%H:%M:%SZ", &tm);
		json_array_append_new(list, json_pack("{s:s, s:o, s:s, s:s}", "site",
						      cert->site->name, "names", names, "key",
						      gnutls_pk_algorithm_get_name(cert->algorithm),
						      "not_after", not_after));
	}
	return list;
}
