/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fuzzes the reading of SRV records from a name server's answer, which is the input. What must hold
 * of an answer that is read: records are within their bounds, sorted, each there once; one that
 * says that there is no service has none; and the same is read again.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/check.h"
#include "origin-link/servers/srv_answer.h"

static void check_record(const struct srv_answer *a, unsigned i)
{
	const struct srv_record *r = &a->v[i];

	CHECK(r->port != 0 && *r->target != '\0' && strlen(r->target) < SRV_TARGET_TEXT);
	CHECK(i == 0 || a->v[i - 1].priority <= r->priority);
	for (unsigned k = 0; k < i; k++)
		CHECK(a->v[k].port != r->port || strcasecmp(a->v[k].target, r->target) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of its exact size, so that a sanitizer sees a read beyond it. */
	unsigned char *wire = xmalloc(size > 0 ? size : 1);
	struct srv_answer answer, again;

	if (size > 0)
		memcpy(wire, data, size);
	if (srv_answer_parse(wire, size, &answer)) {
		CHECK(answer.n <= SRV_RECORDS_MAX && answer.ttl >= -1);
		CHECK(!answer.no_service || answer.n == 0);
		for (unsigned i = 0; i < answer.n; i++)
			check_record(&answer, i);
		CHECK(srv_answer_parse(wire, size, &again) && again.n == answer.n);
	}
	free(wire);
	return 0;
}
