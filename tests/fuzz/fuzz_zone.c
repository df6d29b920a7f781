/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fuzzes master files and what is made of them. The first byte chooses: text that goes on after a
 * SOA and an NS, or one record of generic data (RFC 3597), whose type is the next two bytes. What
 * must hold: the zone is refused with a reason, or each of its records is answered in a response
 * that can be read, and shown; and so is a zone that is made from it.
 */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <libknot/errcode.h>
#include <libknot/packet/pkt.h>
#include <libknot/rrset-dump.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "dns/answer/answer.h"
#include "dns/view/view.h"
#include "dns/zone/zones.h"

#define TOP "$TTL 300\n@ SOA ns1 h 7 7200 900 1209600 60\n@ NS ns1\n"

/* Some kilobytes of text may name many records ($GENERATE). */
#define ASKED_MAX 200

static int fd;
static struct cfg_zone config[] = {{.name = "example.com"}};
static const struct cfg_fleet fleet = {.zones = config, .n_zones = 1};
static struct dns_view view;
static struct dns_answerer *answerer;

static void set_up(void)
{
	fd = memfd_create("zone", 0);
	CHECK(fd >= 0);
	config[0].file = xasprintf("/proc/self/fd/%d", fd);
	answerer = dns_answerer_create();
}

static void write_zone(const uint8_t *data, size_t size)
{
	FILE *out;

	CHECK(ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	out = fdopen(dup(fd), "w");
	CHECK(out != NULL);
	fputs(TOP, out);
	if (size > 0 && data[0] == 'T') {
		fwrite(data + 1, 1, size - 1, out);
	} else if (size >= 3) {
		fprintf(out, "x TYPE%u \\# %zu ", data[1] << 8 | data[2], size - 3);
		for (size_t i = 3; i < size; i++)
			fprintf(out, "%02x", data[i]);
		fputc('\n', out);
	}
	CHECK(fclose(out) == 0);
}

/* Whether the answer is whole. */
static bool ask(const uint8_t *owner, uint16_t type)
{
	static uint8_t query[512], out[DNS_TCP_PAYLOAD];
	struct dns_request request = {.transport = DNS_TCP,
				      .now = {1700000000ll * 1000000000},
				      .mono = {1000000000},
				      .wire = query};
	knot_pkt_t *packet = knot_pkt_new(query, sizeof(query), NULL);
	size_t len;

	CHECK(net_addr_parse("198.51.100.7", 5353, &request.remote));
	CHECK(packet != NULL);
	knot_pkt_clear(packet);
	CHECK(knot_pkt_put_question(packet, owner, KNOT_CLASS_IN, type) == KNOT_EOK);
	request.len = packet->size;
	knot_pkt_free(packet);
	CHECK(dns_handle(answerer, &view, &request, out, sizeof(out), &len) == DNS_REPLY);
	packet = knot_pkt_new(out, len, NULL);
	CHECK(packet != NULL && knot_pkt_parse(packet, KNOT_PF_KEEPWIRE) == KNOT_EOK);
	knot_pkt_free(packet);
	return !knot_wire_get_tc(out);
}

static void show(const knot_rrset_t *rr)
{
	static char text[4 * 65536];

	for (unsigned i = 0; i < rr->rrs.count; i++)
		knot_rrset_txt_dump_data(rr, i, text, sizeof(text), &KNOT_DUMP_STYLE_DEFAULT);
}

static void ask_all(const struct dns_zone *zone)
{
	for (size_t i = 0; i < MIN(zone->n_nodes, ASKED_MAX); i++) {
		const struct dns_node *node = zone->nodes[i];
		uint8_t below[KNOT_DNAME_MAXLEN + 2] = "\1x";

		for (unsigned k = 0; k < node->n_rrsets; k++) {
			uint16_t type = node->rrsets[k].rr.type;

			show(&node->rrsets[k].rr);
			CHECK(ask(node->owner, type));
			memcpy(below + 2, node->owner, node->size);
			if (node->size + 2 <= KNOT_DNAME_MAXLEN)
				ask(below, type);
		}
		ask(node->owner, KNOT_RRTYPE_ANY);
	}
}

/* The zone without one of its RRsets, and with it again. */
static void change(const struct dns_zone *zone, unsigned number, struct diag *diag)
{
	const struct dns_node *node = zone->nodes[number % zone->n_nodes];
	struct cfg_place place = {.file = "change"};
	struct dns_change changed = {.owner = node->owner};
	struct dns_zone *without, *with;

	if (node->n_rrsets == 0)
		return;
	changed.type = node->rrsets[0].rr.type;
	changed.ttl = node->rrsets[0].rr.ttl;
	without = dns_zone_with(zone, &changed, 1, place, diag);
	if (without == NULL)
		return;
	CHECK(without->n_records == zone->n_records - node->rrsets[0].rr.rrs.count);
	changed.rrs = node->rrsets[0].rr.rrs;
	with = dns_zone_with(without, &changed, 1, place, diag);
	CHECK(with != NULL && with->n_nodes == zone->n_nodes && with->n_records == zone->n_records);
	dns_zone_unref(&without);
	dns_zone_unref(&with);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_zones *zones;
	struct diag *diag;

	if (answerer == NULL)
		set_up();
	diag = diag_create();
	write_zone(data, size);
	view.zones = zones = dns_zones_load(&fleet, NULL, diag);
	CHECK((zones == NULL) == (diag_count(diag) > 0));
	if (zones != NULL) {
		ask_all(zones->v[0].zone);
		change(zones->v[0].zone, (unsigned)size, diag);
		dns_zones_destroy(&zones);
	}
	diag_destroy(&diag);
	return 0;
}
