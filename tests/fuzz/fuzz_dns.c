/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fuzzes the DNS query path. The first byte chooses the transport, the health of the edges and the
 * client's family; the rest is the query. What must hold: there is silence or one well-formed
 * response, to this query, of a size that its transport allows, and the same one by the quick path
 * and by the long way.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <libknot/errcode.h>
#include <libknot/packet/pkt.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "dns/answer/answer.h"
#include "dns/view/parts.h"
#include "dns/view/view.h"
#include "fleet/verdicts.h"

static const char zone_text[] =
    "$TTL 300\n"
    "@ SOA ns1 hostmaster 7 7200 900 1209600 60\n"
    "@ NS ns1\n"
    "@ MX 10 mail\n"
    "@ TXT \"apex\"\n"
    "ns1 A 192.0.2.53\n"
    "ns1 AAAA 2001:db8::53\n"
    "mail A 192.0.2.25\n"
    "_sip._udp SRV 1 2 5060 mail\n"
    "a CNAME b\n"
    "b CNAME a\n"
    "c CNAME www\n"
    "d CNAME x.s\n"
    "n DNAME z\n"
    "e DNAME x.e2\n"
    "e2 DNAME e\n"
    "h HTTPS 1 . alpn=h2\n"
    "h A 192.0.2.61\n"
    "i HTTPS 0 h\n"
    "i TXT \"i\"\n"
    "j NAPTR 10 10 A SIP+D2U \"\" www\n"
    "k MX 1 X.w\n"
    "l CAA 0 issue ca.example.net\n"
    "l TYPE65400 \\# 2 0102\n"
    "*.w A 192.0.2.99\n"
    "*.v CNAME www\n"
    "x.y.z A 192.0.2.60\n"
    "s NS ns.s\n"
    "s NS ns1\n"
    "ns.s A 192.0.2.54\n"
    "t TXT xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx1\n"
    "t TXT xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx2\n"
    "t TXT xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx3\n"
    "t TXT xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx4\n"
    "t TXT xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx5\n"
    "t TXT xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx6\n"
    "t TXT xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx7\n"
    "t TXT xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx8\n";

#define EDGES 2

static const char fleet_format[] =
    "edges:\n"
    "  one: {location: '50.11,8.68', addresses: [192.0.2.1, '2001:db8::1']}\n"
    "  two: {location: '40.71,-74.01', addresses: [192.0.2.2]}\n"
    "nameservers:\n"
    "  ns1: {listen: '127.0.0.1:0'}\n"
    "origins:\n"
    "  app: {servers: '127.0.0.1:80'}\n"
    "sites:\n"
    "  site:\n"
    "    hosts: [www.example.com, u.example.com]\n"
    "    certificates: [{certificate: c.pem, key: k.pem}]\n"
    "    routes: [{origin: app}]\n"
    "zones:\n"
    "  example.com:\n"
    "    file: /proc/self/fd/%d\n"
    "    steered:\n"
    "      www: {site: site, ttl: 30s, answers: 2}\n"
    "      u: {site: site, ttl: 1s, policy: weighted, none_up: servfail}\n";

static struct fleet_verdicts *verdicts;
static struct dns_view *view;
static struct dns_answerer *answerer;

/* A file in memory. */
static int file_of(const char *text)
{
	int fd = memfd_create("fuzz_dns", 0);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	return fd;
}

static void set_up(void)
{
	struct diag *diag = diag_create();
	int zone = file_of(zone_text);
	char *text = xasprintf(fleet_format, zone);
	int config = file_of(text);
	char *path = xasprintf("/proc/self/fd/%d", config);
	struct cfg_fleet *fleet = cfg_load(path, diag);
	struct dns_parts *parts = NULL;

	if (fleet != NULL)
		parts = dns_parts_load(&fleet, NULL, diag);
	diag_print(diag, stderr);
	CHECK(parts != NULL);
	fleet_verdicts_unref(&parts->verdicts);
	parts->verdicts = verdicts = fleet_verdicts_fixed(parts->fleet);
	view = dns_view_create(parts, NULL);
	dns_parts_unref(&parts);
	close(zone);
	close(config);
	free(path);
	free(text);
	diag_destroy(&diag);
	answerer = dns_answerer_create();
}

static void check_response(const struct dns_request *request, uint8_t *out, size_t len)
{
	const uint8_t *query = request->wire;
	knot_pkt_t *response;

	CHECK(len >= KNOT_WIRE_HEADER_SIZE);
	CHECK(len <= (request->transport == DNS_TCP ? DNS_TCP_PAYLOAD : DNS_UDP_PAYLOAD));
	CHECK(memcmp(out, query, 2) == 0);
	CHECK(knot_wire_get_qr(out) && !knot_wire_get_ra(out) && !knot_wire_get_z(out));
	CHECK(knot_wire_get_opcode(out) == knot_wire_get_opcode(query));
	response = knot_pkt_new(out, len, NULL);
	CHECK(response != NULL && knot_pkt_parse(response, KNOT_PF_KEEPWIRE) == KNOT_EOK);
	CHECK(request->transport == DNS_TCP || knot_pkt_has_edns(response) ||
	      len <= KNOT_WIRE_MIN_PKTSIZE);
	/* libknot takes the error of a TSIG for the message's. */
	CHECK(
	    knot_pkt_ext_rcode(response) ==
	    (response->tsig_rr != NULL ? KNOT_RCODE_BADKEY : dns_answerer_facts(answerer)->rcode));
	knot_pkt_free(response);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t out[DNS_TCP_PAYLOAD], again[DNS_TCP_PAYLOAD];
	struct dns_request request = {.now = {1700000000ll * 1000000000}, .mono = {1000000000}};
	size_t cap, len, len_again;
	enum dns_outcome outcome;

	if (view == NULL)
		set_up();
	if (size == 0)
		return 0;
	request.transport = data[0] & 1 ? DNS_TCP : DNS_UDP;
	CHECK(net_addr_parse(data[0] & 2 ? "2001:db8::" : "198.51.100.7", 5353, &request.remote));
	request.wire = data + 1;
	request.len = size - 1;
	for (unsigned i = 0; i < EDGES; i++) {
		enum health_state known = data[0] & 16 << i ? HEALTH_UP : HEALTH_DOWN;

		fleet_verdicts_set(verdicts, i, FLEET_ALL_ADDRESSES,
				   data[0] & 4 << i ? known : HEALTH_UNKNOWN, false);
	}
	cap = request.transport == DNS_TCP ? DNS_TCP_PAYLOAD : DNS_UDP_PAYLOAD;
	outcome = dns_handle(answerer, view, &request, out, cap, &len);
	CHECK(outcome == (len > 0 ? DNS_REPLY : DNS_SILENT));
	if (len > 0)
		check_response(&request, out, len);
	CHECK(dns_handle_long(answerer, view, &request, again, cap, &len_again) == outcome);
	CHECK(len_again == len && memcmp(out, again, len) == 0);
	return 0;
}
