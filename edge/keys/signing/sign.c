/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See sign.h.
 */
#include "edge/keys/signing/sign.h"

#include "core/base/clock.h"
#include "edge/keys/keys_internal.h"
#include "edge/keys/signable.h"

struct signer_response signer_refuse(enum signer_status status, const char *why)
{
	return (struct signer_response){.status = status, .content = span_of(why)};
}

struct signer_response signer_sign(const struct signer_request *request, const struct edge_key *key,
				   gnutls_privkey_t handle, struct signer_rate *rate,
				   gnutls_datum_t *signature)
{
	gnutls_sign_algorithm_t algorithm = signable_algorithm(request->scheme);
	const gnutls_datum_t data = {(unsigned char *)request->content.p,
				     (unsigned)request->content.n};
	const char *why = signable_refuse(request->scheme, request->content);
	int ret;

	if (why != NULL)
		return signer_refuse(SIGNER_REFUSED, why);
	if (gnutls_sign_supports_pk_algorithm(algorithm, key->algorithm) == 0)
		return signer_refuse(SIGNER_REFUSED, "not a signature scheme of that kind of key");
	if (!signer_rate_take(rate, clock_mono()))
		return signer_refuse(SIGNER_LIMITED, "");
	ret = gnutls_privkey_sign_data2(handle, algorithm, 0, &data, signature);
	if (ret < 0)
		return signer_refuse(SIGNER_FAILED, gnutls_strerror(ret));
	return (struct signer_response){.key = request->key,
					.content = {(char *)signature->data, signature->size}};
}
