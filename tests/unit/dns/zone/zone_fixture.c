/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/dns/zone/zone_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libknot/rrset-dump.h>

#include "core/base/check.h"
#include "dns/zone/rdata.h"

void zone_fixture_fini(struct zone_fixture *f)
{
	char *command = xasprintf("rm -r '%s'", f->dir);

	if (f->dir[0] != '\0')
		assert_int_equal(system(command), 0);
	free(command);
	free(f->errors);
	*f = (struct zone_fixture){0};
}

char *zone_path(struct zone_fixture *f, const char *file)
{
	if (f->dir[0] == '\0') {
		strcpy(f->dir, "/tmp/perigee-zone-test-XXXXXX");
		assert_non_null(mkdtemp(f->dir));
	}
	return xasprintf("%s/%s", f->dir, file);
}

void zone_file(struct zone_fixture *f, const char *file, const char *text, size_t len)
{
	char *path = zone_path(f, file);
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, len, out), len);
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

void zone_keep_errors(struct zone_fixture *f, struct diag **diag)
{
	free(f->errors);
	f->errors = diag_text(*diag);
	strip_directory(f->errors, f->dir);
	diag_destroy(diag);
}

struct dns_zone *zone_load(struct zone_fixture *f, const char *name, const char *file,
			   struct dns_zone *before)
{
	char *path = zone_path(f, file);
	struct cfg_zone config = {.name = name, .place = {"fleet.yaml", 1, 1}, .file = path};
	struct diag *diag = diag_create();
	struct dns_zone *zone = dns_zone_load(&config, before, diag);

	assert_int_equal(zone == NULL, diag_count(diag) > 0);
	zone_keep_errors(f, &diag);
	free(path);
	return zone;
}

struct dns_zone *zone_of(struct zone_fixture *f, const char *text)
{
	zone_file(f, "zone", text, strlen(text));
	return zone_load(f, "example.com", "zone", NULL);
}

void zone_has(struct zone_fixture *f, const char *text, const char *records)
{
	struct dns_zone *zone = zone_of(f, text), *same;
	char *wanted = xasprintf("%s%s", ZONE_TOP_TEXT, records), *has, *again;

	if (zone == NULL)
		print_error("%s\n%s\n", text, f->errors);
	assert_non_null(zone);
	/* In the order of the zone, so that the table may have its own. */
	same = zone_of(f, wanted);
	if (same == NULL)
		print_error("%s\n%s\n", wanted, f->errors);
	assert_non_null(same);
	has = zone_text(zone);
	again = zone_text(same);
	assert_string_equal(has, again);
	free(again);
	free(has);
	free(wanted);
	dns_zone_unref(&same);
	dns_zone_unref(&zone);
}

void zone_refused(struct zone_fixture *f, const char *text, const char *errors)
{
	struct dns_zone *zone = zone_of(f, text);

	if (zone != NULL || strcmp(f->errors, errors) != 0)
		print_error("zone:\n%s\n", text);
	assert_string_equal(f->errors, errors);
	assert_null(zone);
}

char *zone_text(const struct dns_zone *zone)
{
	static char data[4 * 65536];
	char owner[DNS_NAME_TEXT], type[DNS_TYPE_TEXT], *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	for (size_t i = 0; i < zone->n_nodes; i++) {
		const struct dns_node *node = zone->nodes[i];

		for (unsigned k = 0; k < node->n_rrsets; k++) {
			const knot_rrset_t *rr = &node->rrsets[k].rr;

			for (unsigned n = 0; n < rr->rrs.count; n++) {
				assert_true(knot_rrset_txt_dump_data(rr, n, data, sizeof(data),
								     &KNOT_DUMP_STYLE_DEFAULT) >=
					    0);
				fprintf(out, "%s %u %s %s\n", dns_name_format(node->owner, owner),
					rr->ttl, dns_type_format(rr->type, type), data);
			}
		}
	}
	fclose(out);
	return text;
}

char *zone_lookup(const struct dns_zone *zone, const char *text)
{
	static const char *const matches[] = {[DNS_MATCH_NODE] = "node",
					      [DNS_MATCH_WILDCARD] = "wildcard",
					      [DNS_MATCH_DELEGATION] = "delegation",
					      [DNS_MATCH_DNAME] = "dname",
					      [DNS_MATCH_NONE] = "none"};
	knot_dname_storage_t wire;
	struct dns_name name;
	struct dns_lookup found;
	char owner[DNS_NAME_TEXT];

	assert_non_null(knot_dname_from_str(wire, text, sizeof(wire)));
	knot_dname_to_lower(wire);
	dns_name_init(&name, wire);
	found = dns_zone_lookup(zone, &name);
	return xasprintf("%s %s", matches[found.match],
			 found.node == NULL ? "-" : dns_name_format(found.node->owner, owner));
}
