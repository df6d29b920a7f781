/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See request.h.
 */
#define LOG_MODULE LOG_TLS
#include "edge/keys/server/request.h"

#include "core/base/log.h"
#include "edge/keys/signing/sign.h"

static void account(const struct keys_asker *asker, const struct signer_request *request,
		    const struct signer_response *response)
{
	static const char *const what[SIGNER_N_STATUS] = {
	    [SIGNER_REFUSED] = "is refused a signature",
	    [SIGNER_LIMITED] = "has had as many signatures as it may",
	    [SIGNER_UNKNOWN] = "asks for a key that it cannot have",
	    [SIGNER_FAILED] = "cannot be given a signature",
	};

	if (request->verb == SIGNER_SIGN_BY_ID)
		atomic_fetch_add(&asker->edge->by_status[response->status], 1);
	if (response->status != SIGNER_OK)
		LOG_LIMITED_BY(&asker->edge->log_limit, LOG_LEVEL_WARN, "edge %s %s%s%.*s",
			       asker->edge->name, what[response->status],
			       response->content.n > 0 ? ": " : "", (int)response->content.n,
			       response->content.p);
}

static struct signer_response respond(const struct keys_asker *asker,
				      const struct signer_request *request,
				      gnutls_datum_t *signature)
{
	const struct keys_entry *entry;
	const char *why;

	if (request->verb == SIGNER_PING)
		return (struct signer_response){.status = SIGNER_OK};
	entry = keys_table_find(asker->table, request->id, asker->cfg, &why);
	if (entry == NULL)
		return signer_refuse(SIGNER_UNKNOWN, why);
	if (request->verb == SIGNER_FIND)
		return (struct signer_response){.status = SIGNER_OK};
	return signer_sign(request, entry->key, entry->handle, &asker->edge->rate, signature);
}

size_t keys_request_answer(const struct keys_asker *asker, const void *packet, size_t n, void *out)
{
	gnutls_datum_t signature = {0};
	struct signer_request request;
	struct signer_response response;
	size_t size;

	if (!signer_request_parse(&request, packet, n) || request.verb < SIGNER_PING) {
		LOG_LIMITED_BY(&asker->edge->log_limit, LOG_LEVEL_WARN,
			       "edge %s sends what is no request: it is cut off",
			       asker->edge->name);
		return 0;
	}
	response = respond(asker, &request, &signature);
	account(asker, &request, &response);
	size = signer_response_write(&response, request.verb, out);
	gnutls_free(signature.data);
	return size;
}
