/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What an origin is told of a client by a PROXY header, by a table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "config/origin.h"
#include "core/base/arena.h"
#include "core/base/check.h"
#include "edge/facts/parties.h"

static struct edge_client_cert alice = {.common_name = (char *)"alice"};

static const struct row {
	enum cfg_proxy_protocol protocol;
	const char *http, *tls, *sni, *suite;
	bool resumed, is_edge;
	struct edge_client_cert *cert;
	enum edge_client_verdict verdict;
	const char *tlvs;
	size_t n_tlvs;
} rows[] = {
#define V2_TLS CFG_PROXY_PROTOCOL_V2_TLS
#define TLVS(bytes) bytes, sizeof(bytes) - 1
    {V2_TLS, "HTTP/2", "TLS1.3", "a.test", "S", false, false, &alice, EDGE_CLIENT_OK,
     TLVS("\1\0\2h2\2\0\6a.test\x20\0\x1b\7\0\0\0\0\x21\0\7TLSv1.3\x23\0\1S\x22\0\5alice")},
    {V2_TLS, "HTTP/2", "TLS1.3", "", "S", true, false, &alice, EDGE_CLIENT_OK,
     TLVS("\1\0\2h2\x20\0\x1b\5\0\0\0\0\x21\0\7TLSv1.3\x23\0\1S\x22\0\5alice")},
    /* What another site of this connection has found valid. */
    {V2_TLS, "HTTP/1.1", "TLS1.2", "", NULL, false, false, &alice, EDGE_CLIENT_EXPIRED,
     TLVS("\1\0\x08http/1.1\x20\0\x0f\7\0\0\0\1\x21\0\7TLSv1.2")},
    /* asked for, and not shown */
    {V2_TLS, "HTTP/1.1", "TLS1.2", "", NULL, true, false, NULL, EDGE_CLIENT_NONE,
     TLVS("\1\0\x08http/1.1\x20\0\x0f\1\0\0\0\1\x21\0\7TLSv1.2")},
    /* without TLS */
    {V2_TLS, "HTTP/1.1", "", "", NULL, false, false, NULL, EDGE_CLIENT_NONE, NULL, 0},
    /* the TLS of another edge */
    {V2_TLS, "HTTP/2", "TLS1.3", "fra1", "S", false, true, NULL, EDGE_CLIENT_NONE, NULL, 0},
    /* an origin that has not asked for it */
    {CFG_PROXY_PROTOCOL_V2, "HTTP/2", "TLS1.3", "a.test", "S", false, false, &alice, EDGE_CLIENT_OK,
     NULL, 0},
    {CFG_PROXY_PROTOCOL_NONE, "HTTP/2", "TLS1.3", "a.test", "S", false, false, &alice,
     EDGE_CLIENT_OK, NULL, 0},
};

static void test_parties(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		struct cfg_origin origin = {.proxy_protocol = row->protocol};
		struct edge_client client = {.protocol = row->http,
					     .tls = row->tls,
					     .sni = row->sni,
					     .tls_suite = row->suite,
					     .tls_resumed = row->resumed,
					     .is_edge = row->is_edge};
		struct edge_facts facts = {
		    .client = &client, .client_cert = row->cert, .client_verdict = row->verdict};
		struct proxy_parties parties;
		struct arena arena, full;

		arena_init(&arena, 65536);
		arena_init(&full, 0);
		assert_true(net_addr_parse("192.0.2.1:1", 0, &client.addr));
		assert_true(net_addr_parse("192.0.2.2:2", 0, &client.local));
		assert_true(edge_proxy_parties(&parties, &client, &facts, &origin, &arena));
		assert_true(net_addr_equal(&parties.source, &client.addr));
		assert_true(net_addr_equal(&parties.destination, &client.local));
		assert_int_equal(parties.n_tlvs, row->n_tlvs);
		if (row->tlvs != NULL)
			assert_memory_equal(parties.tlvs, row->tlvs, row->n_tlvs);
		else
			assert_null(parties.tlvs);
		assert_int_equal(edge_proxy_parties(&parties, &client, &facts, &origin, &full),
				 row->tlvs == NULL);
		arena_fini(&arena);
		arena_fini(&full);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parties),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
