/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fuzzes both directions of the signer's protocol, and what it lets pass to be signed. The input is
 * a packet. What must hold: what parses is written back byte for byte, and what may be signed has
 * the size of one of the two forms.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "edge/keys/signable.h"
#include "edge/keys/signer_message.h"

static void look_at_request(const void *packet, size_t n)
{
	char again[SIGNER_MESSAGE_MAX];
	struct signer_request request;

	if (!signer_request_parse(&request, packet, n))
		return;
	CHECK(signer_request_write(&request, again) == n);
	CHECK(memcmp(again, packet, n) == 0);
	if ((request.verb != SIGNER_SIGN && request.verb != SIGNER_SIGN_BY_ID) ||
	    signable_refuse(request.scheme, request.content) != NULL)
		return;
	CHECK(signable_scheme(signable_algorithm(request.scheme)) == request.scheme);
	CHECK(request.content.n >= 64 + 4 + 32 && request.content.n <= SIGNABLE_MAX);
}

static void look_at_response(enum signer_verb verb, const void *packet, size_t n)
{
	char again[SIGNER_MESSAGE_MAX];
	struct signer_response response;

	if (!signer_response_parse(&response, verb, packet, n))
		return;
	CHECK(signer_response_write(&response, verb, again) == n);
	CHECK(memcmp(again, packet, n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of its exact size, so that a sanitizer sees a read beyond it. */
	char *packet = xmalloc(size > 0 ? size : 1);

	if (size > 0)
		memcpy(packet, data, size);
	look_at_request(packet, size);
	for (enum signer_verb verb = SIGNER_OPEN; verb <= SIGNER_VERB_LAST; verb++)
		look_at_response(verb, packet, size);
	free(packet);
	return 0;
}
