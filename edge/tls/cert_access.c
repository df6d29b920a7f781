/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See cert_access.h.
 */
#include "edge/tls/cert_access.h"

#include "core/base/check.h"

char *cert_access_url(gnutls_x509_crt_t crt, int what)
{
	gnutls_datum_t url = {0};
	char *made;
	int ret;

	/* It looks at the one of that number only, which is an error when it is for something
	 * else. */
	for (unsigned i = 0;; i++) {
		ret = gnutls_x509_crt_get_authority_info_access(crt, i, what, &url, NULL);
		if (ret != GNUTLS_E_UNKNOWN_ALGORITHM)
			break;
	}
	if (ret < 0)
		return NULL;
	made = xasprintf("%.*s", (int)url.size, (const char *)url.data);
	gnutls_free(url.data);
	return made;
}
