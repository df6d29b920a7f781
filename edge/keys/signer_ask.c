/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See signer_ask.h.
 */
#define LOG_MODULE LOG_TLS
#include "edge/keys/signer_ask.h"

#include <string.h>

#include "core/base/log.h"
#include "edge/keys/signable.h"
#include "edge/keys/signed_data.h"

bool signer_ask_what(struct signer_request *request)
{
	const struct signed_data *data = signed_data_now();

	if (data == NULL || data->data->size > SIGNABLE_MAX)
		return false;
	request->scheme = signable_scheme(data->algorithm);
	request->content = (struct span){(const char *)data->data->data, data->data->size};
	return request->scheme != 0;
}

int signer_ask_take(const char *name, const struct signer_response *response,
		    gnutls_datum_t *signature)
{
	if (response->status != SIGNER_OK) {
		static const char *const why[SIGNER_N_STATUS] = {
		    [SIGNER_REFUSED] = "refuses to sign",
		    [SIGNER_LIMITED] = "signs no more now",
		    [SIGNER_UNKNOWN] = "does not know it",
		    [SIGNER_FAILED] = "cannot sign",
		    [SIGNER_AWAY] = "is away"};

		LOG_LIMITED(LOG_LEVEL_WARN, "key %s: the signer %s%s%.*s", name,
			    why[response->status], response->content.n > 0 ? ": " : "",
			    (int)response->content.n, response->content.p);
		return GNUTLS_E_PK_SIGN_FAILED;
	}
	signature->data = gnutls_malloc(response->content.n);
	if (signature->data == NULL)
		return GNUTLS_E_MEMORY_ERROR;
	memcpy(signature->data, response->content.p, response->content.n);
	signature->size = (unsigned)response->content.n;
	return 0;
}
