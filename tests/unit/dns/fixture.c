/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/dns/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <libknot/codes.h>
#include <libknot/descriptor.h>
#include <libknot/errcode.h>
#include <libknot/packet/pkt.h>
#include <libknot/rrset-dump.h>

#include "config/diag.h"
#include "config/fleet.h"
#include "core/base/check.h"
#include "dns/answer/ecs.h"
#include "dns/steer/fronts.h"
#include "dns/zone/name.h"

static const char fleet_format[] =
    "edges:\n"
    "  fra1: {location: '50.11,8.68', addresses: [192.0.2.1, '2001:db8::1']}\n"
    "  nyc1: {location: '40.71,-74.01', addresses: [192.0.2.2]}\n"
    "  sin1: {location: '1.35,103.82', addresses: [192.0.2.3, '2001:db8::3']}\n"
    "nameservers:\n"
    "  ns1: {listen: '127.0.0.1:0'}\n"
    "origins:\n"
    "  app: {servers: '127.0.0.1:80'}\n"
    "sites:\n"
    "  all:\n"
    "    hosts: ['*.example.com', example.com]\n"
    "    certificates: [{certificate: c.pem, key: k.pem}]\n"
    "    routes: [{origin: app}]\n"
    "  one:\n"
    "    hosts: [one.example.com, '*.com']\n"
    "    certificates: [{certificate: c.pem, key: k.pem}]\n"
    "    routes: [{origin: app}]\n"
    "    edges: [fra1]\n"
    "zones:\n"
    "  example.com: {file: example.zone, steered: %s}\n";

void fixture_file(struct fixture *f, const char *name, const char *text)
{
	if (f->dir[0] == '\0') {
		strcpy(f->dir, "/tmp/perigee-dns-test-XXXXXX");
		assert_non_null(mkdtemp(f->dir));
	}
	char *path = xasprintf("%s/%s", f->dir, name);
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	fputs(text, out);
	assert_int_equal(fclose(out), 0);
	free(path);
}

/* Every "DIR/" taken out. */
static void strip_directory(char *text, const char *dir)
{
	size_t n = strlen(dir) + 1;
	char *at;

	while ((at = strstr(text, dir)) != NULL)
		memmove(at, at + n, strlen(at + n) + 1);
}

static void make_view(struct fixture *f)
{
	if (f->parts == NULL)
		return;
	fleet_verdicts_unref(&f->parts->verdicts);
	f->parts->verdicts = fleet_verdicts_fixed(f->parts->fleet);
	f->view = dns_view_create(f->parts, NULL);
}

/* Every line of them: nyc1 has no IPv6 address on purpose. */
static void strip_warnings(char *text)
{
	char *line = text, *end;

	while ((end = strchr(line, '\n')) != NULL) {
		char *warning = strstr(line, ": warning: ");

		if (warning != NULL && warning < end)
			memmove(line, end + 1, strlen(end + 1) + 1);
		else
			line = end + 1;
	}
}

void fixture_init(struct fixture *f, const char *zone, const char *steered, char **errors)
{
	struct diag *diag = diag_create();
	struct cfg_fleet *fleet;
	char *text = xasprintf(fleet_format, steered), *path, *complaints;

	fixture_file(f, "example.zone", zone);
	fixture_file(f, "fleet.yaml", text);
	free(text);
	path = xasprintf("%s/fleet.yaml", f->dir);
	fleet = cfg_load(path, diag);
	if (fleet != NULL)
		f->parts = dns_parts_load(&fleet, NULL, diag);
	cfg_fleet_destroy(&fleet);
	free(path);
	complaints = diag_text(diag);
	strip_directory(complaints, f->dir);
	strip_warnings(complaints);
	diag_destroy(&diag);
	make_view(f);
	if (errors != NULL) {
		*errors = complaints;
		return;
	}
	assert_string_equal(complaints, "");
	free(complaints);
	assert_non_null(f->view);
	f->answerer = dns_answerer_create();
}

static void set_verdict(struct fixture *f, unsigned edge, unsigned address, char letter)
{
	enum health_state state = letter == '?'   ? HEALTH_UNKNOWN
				  : letter == 'd' ? HEALTH_DOWN
						  : HEALTH_UP;

	assert_non_null(strchr("udf?", letter));
	fleet_verdicts_set(f->parts->verdicts, edge, address, state, letter == 'f');
}

void fixture_verdicts(struct fixture *f, const char *letters)
{
	for (unsigned i = 0; i < f->parts->fleet->n_edges; i++) {
		if (*letters != '[') {
			set_verdict(f, i, FLEET_ALL_ADDRESSES, *letters++);
			continue;
		}
		letters++;
		for (unsigned k = 0; *letters != ']'; k++)
			set_verdict(f, i, k, *letters++);
		letters++;
	}
	assert_int_equal(*letters, '\0');
}

void fixture_renew(struct fixture *f)
{
	struct steer_fronts *fronts =
	    steer_fronts_renew(f->parts->steering, f->parts->places, f->parts->verdicts,
			       f->view->fronts, STEER_FRONTS_BYTES_MAX, (mono_time){0});

	assert_true(fronts->complete);
	dns_view_destroy(&f->view);
	f->view = dns_view_create(f->parts, fronts);
	steer_fronts_unref(&fronts);
}

void fixture_fleet(struct fixture *f, const char *yaml)
{
	struct diag *diag = diag_create();
	struct cfg_fleet *fleet;
	char *path, *complaints;

	fixture_file(f, "fleet.yaml", yaml);
	path = xasprintf("%s/fleet.yaml", f->dir);
	fleet = cfg_load(path, diag);
	if (fleet != NULL)
		f->parts = dns_parts_load(&fleet, NULL, diag);
	make_view(f);
	complaints = diag_text(diag);
	strip_warnings(complaints);
	assert_string_equal(complaints, "");
	assert_non_null(f->view);
	f->answerer = dns_answerer_create();
	free(complaints);
	free(path);
	diag_destroy(&diag);
}

void fixture_fini(struct fixture *f)
{
	char *command = xasprintf("rm -r '%s'", f->dir);

	dns_view_destroy(&f->view);
	dns_parts_unref(&f->parts);
	if (f->answerer != NULL)
		dns_answerer_destroy(&f->answerer);
	assert_int_equal(system(command), 0);
	free(command);
}

static void put_ecs(knot_rrset_t *opt, const char *text)
{
	struct net_prefix prefix;
	struct dns_ecs ecs;
	uint8_t data[DNS_ECS_MAX];
	unsigned len;

	assert_true(net_prefix_parse(text, &prefix));
	ecs = (struct dns_ecs){.family = prefix.family == AF_INET ? 1 : 2, .source = prefix};
	len = dns_ecs_write(&ecs, 0, data);
	assert_int_equal(knot_edns_add_option(opt, KNOT_EDNS_OPTION_CLIENT_SUBNET, len, data, NULL),
			 KNOT_EOK);
}

struct dns_request fixture_request(const char *remote, enum dns_transport transport,
				   const uint8_t *wire, size_t len)
{
	struct dns_request request = {
	    .transport = transport,
	    .now = {1700000000ll * 1000000000},
	    .mono = {1000000000},
	    .wire = wire,
	    .len = len,
	};

	assert_true(net_addr_parse(remote, 5353, &request.remote));
	return request;
}

size_t fixture_handle(struct fixture *f, const struct dns_request *request, uint8_t *out)
{
	size_t len;
	enum dns_outcome outcome =
	    dns_handle(f->answerer, f->view, request, out,
		       request->transport == DNS_TCP ? DNS_TCP_PAYLOAD : DNS_UDP_PAYLOAD, &len);

	assert_int_equal(outcome, len == 0 ? DNS_SILENT : DNS_REPLY);
	return len;
}

void fixture_query(const char *text, uint8_t *wire, size_t size, struct dns_request *request)
{
	char *copy = xstrdup(text), *rest;
	const char *name = strtok_r(copy, " ", &rest), *type = strtok_r(NULL, " ", &rest), *word;
	unsigned payload = 0, version = 0, class = KNOT_CLASS_IN, opcode = 0;
	bool edns = false, dnssec = false, rd = false, tcp = false;
	const char *subnet = NULL;
	knot_dname_storage_t qname;
	uint16_t qtype;
	knot_pkt_t *query = knot_pkt_new(wire, size, NULL);

	while ((word = strtok_r(NULL, " ", &rest)) != NULL) {
		unsigned number = strchr(word, '=') ? atoi(strchr(word, '=') + 1) : 0;

		if (strcmp(word, "tcp") == 0)
			tcp = true;
		else if (strcmp(word, "rd") == 0)
			rd = true;
		else if (strncmp(word, "class=", 6) == 0)
			class = number;
		else if (strncmp(word, "opcode=", 7) == 0)
			opcode = number;
		else
			edns = true;
		if (strcmp(word, "do") == 0)
			dnssec = true;
		else if (strncmp(word, "size=", 5) == 0)
			payload = number;
		else if (strncmp(word, "version=", 8) == 0)
			version = number;
		else if (strncmp(word, "ecs=", 4) == 0)
			subnet = word + 4;
	}
	assert_non_null(query);
	knot_pkt_clear(query);
	knot_wire_set_id(wire, 0x1234);
	knot_wire_set_opcode(wire, opcode);
	if (rd)
		knot_wire_set_rd(wire);
	assert_non_null(knot_dname_from_str(qname, name, sizeof(qname)));
	assert_true(knot_rrtype_from_string(type, &qtype) >= 0);
	assert_int_equal(knot_pkt_put_question(query, qname, class, qtype), KNOT_EOK);
	if (edns) {
		knot_rrset_t opt;

		knot_edns_init(&opt, payload > 0 ? payload : 4096, 0, version, NULL);
		if (dnssec)
			knot_edns_set_do(&opt);
		if (subnet != NULL)
			put_ecs(&opt, subnet);
		knot_pkt_begin(query, KNOT_ADDITIONAL);
		assert_int_equal(knot_pkt_put(query, 0, &opt, 0), KNOT_EOK);
		knot_rrset_clear(&opt, NULL);
	}
	*request = fixture_request("198.51.100.7", tcp ? DNS_TCP : DNS_UDP, wire, query->size);
	knot_pkt_free(query);
	free(copy);
}

static void print_section(FILE *out, const knot_pkt_t *response, knot_section_t id,
			  const char *label)
{
	const knot_pktsection_t *section = knot_pkt_section(response, id);

	for (unsigned i = 0; i < section->count; i++) {
		const knot_rrset_t *rr = knot_pkt_rr(section, i);
		char owner[DNS_NAME_TEXT], type[16], data[1024];

		if (rr->type == KNOT_RRTYPE_OPT)
			continue;
		assert_int_equal(rr->rrs.count, 1);
		assert_true(knot_rrset_txt_dump_data(rr, 0, data, sizeof(data),
						     &KNOT_DUMP_STYLE_DEFAULT) >= 0);
		assert_true(knot_rrtype_to_string(rr->type, type, sizeof(type)) > 0);
		fprintf(out, "%s: %s %u %s %s\n", label, dns_name_format(rr->owner, owner), rr->ttl,
			type, data);
	}
}

char *fixture_response_text(uint8_t *wire, size_t len)
{
	char *text = NULL, prefix[NET_ADDR_TEXT];
	size_t size;
	FILE *out = open_memstream(&text, &size);
	knot_pkt_t *response = knot_pkt_new(wire, len, NULL);
	const knot_lookup_t *rcode;
	uint8_t *option;

	assert_non_null(out);
	/* Names stay as they are written. */
	assert_int_equal(knot_pkt_parse(response, KNOT_PF_KEEPWIRE | KNOT_PF_NOCANON), KNOT_EOK);
	assert_true(knot_wire_get_qr(wire));
	assert_false(knot_wire_get_ra(wire));
	rcode = knot_lookup_by_id(knot_rcode_names, knot_pkt_ext_rcode(response));
	fprintf(out, "%s%s%s%s%s\n", rcode == NULL ? "?" : rcode->name,
		knot_wire_get_aa(wire) ? " aa" : "", knot_wire_get_tc(wire) ? " tc" : "",
		knot_wire_get_rd(wire) ? " rd" : "", knot_pkt_has_dnssec(response) ? " do" : "");
	print_section(out, response, KNOT_ANSWER, "answer");
	print_section(out, response, KNOT_AUTHORITY, "authority");
	print_section(out, response, KNOT_ADDITIONAL, "additional");
	option = knot_pkt_edns_option(response, KNOT_EDNS_OPTION_CLIENT_SUBNET);
	if (option != NULL) {
		uint8_t data[DNS_ECS_MAX];
		struct dns_ecs ecs;
		unsigned n = knot_edns_opt_get_length(option);

		assert_in_range(n, 4, DNS_ECS_MAX);
		memcpy(data, knot_edns_opt_get_data(option), n);
		data[3] = 0; /* a scope is for responses only */
		assert_true(dns_ecs_parse(&ecs, data, n));
		fprintf(out, "ecs: %s/%u\n", net_prefix_format(&ecs.source, prefix),
			knot_edns_opt_get_data(option)[3]);
	}
	knot_pkt_free(response);
	fclose(out);
	return text;
}

void fixture_expect(struct fixture *f, const char *query, const char *expected)
{
	uint8_t wire[1024], out[DNS_TCP_PAYLOAD];
	struct dns_request request;
	size_t len;
	char *text;

	fixture_query(query, wire, sizeof(wire), &request);
	len = fixture_handle(f, &request, out);
	assert_true(len >= 12 && len <= sizeof(out));
	assert_memory_equal(out, wire, 2);
	assert_memory_equal(out + 12, wire + 12, knot_dname_size(wire + 12));
	text = fixture_response_text(out, len);
	if (strcmp(text, expected) != 0) {
		print_error("%s\n", query);
		assert_string_equal(text, expected);
	}
	free(text);
}
