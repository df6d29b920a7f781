/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the table prints: a dump that loads to itself, a schema and a manual page that know every
 * row; and that the samples load.
 */
#include "tests/unit/config/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/limits.h"
#include "config/options/options.h"
#include "config/print/print.h"
#include "config/syntax/yaml.h"
#include "core/base/check.h"

static char *dumped(const struct cfg_fleet *fleet)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	CHECK(f != NULL);
	assert_true(cfg_dump(fleet, f));
	CHECK(fclose(f) == 0);
	return text;
}

static struct cfg_fleet *load_path(const char *path)
{
	struct diag *diag = diag_create();
	struct cfg_fleet *fleet = cfg_load(path, diag);
	char *text = diag_text(diag);

	assert_string_equal(text, "");
	free(text);
	diag_destroy(&diag);
	return fleet;
}

/* Dumps, loads the dump, dumps again: nothing may change. Takes `fleet` over. Returns the dump. */
static char *round_trip(struct cfg_fleet *fleet)
{
	char *first = dumped(fleet), *second;
	struct cfg_fleet *again = load_good(first);

	second = dumped(again);
	assert_string_equal(first, second);
	free(second);
	cfg_fleet_destroy(&again);
	cfg_fleet_destroy(&fleet);
	return first;
}

static void test_dump_of_defaults(void **state)
{
	char *text = round_trip(load_good("nameservers: {n: {control: /n, state: /s}}\n"));

	assert_string_equal(text, "user: \"\"\n"
				  "log:\n"
				  "  level: info\n"
				  "http:\n"
				  "  timeout:\n"
				  "    handshake: 10s\n"
				  "    head: 10s\n"
				  "    body: 30s\n"
				  "    write: 30s\n"
				  "    keep_alive: 1m\n"
				  "    tunnel: 1h\n"
				  "    shutdown: 10s\n"
				  "  limit:\n"
				  "    head_bytes: 32KiB\n"
				  "    fields: 100\n"
				  "    target_bytes: 8KiB\n"
				  "    connections: 15000\n"
				  "    silent: 4096\n"
				  "    handshakes: 1024\n"
				  "    buffered: 512MiB\n"
				  "    min_rate: 100\n"
				  "    compression: 128MiB\n"
				  "    tracked: 65536\n"
				  "  per_client:\n"
				  "    connections: 0\n"
				  "    requests: 0\n"
				  "    connection_rate: 0\n"
				  "    handshake_rate: 0\n"
				  "    request_rate: 0\n"
				  "  access: []\n"
				  "  limits: []\n"
				  "  protocols:\n"
				  "  - h2\n"
				  "  - http/1.1\n"
				  "  h2:\n"
				  "    streams: 100\n"
				  "    resets: 200\n"
				  "    frames: 1000\n"
				  "  plain: redirect\n"
				  "  proxy_status: errors\n"
				  "  server_timing: false\n"
				  "  access_log:\n"
				  "    output: '-'\n"
				  "    format: json\n"
				  "    sample: 100%\n"
				  "    failures: all\n"
				  "    syslog:\n"
				  "      receiver: /dev/log\n"
				  "      facility: local0\n"
				  "  proxy_protocol: []\n"
				  "  trusted_proxies: []\n"
				  "  trusted_fields:\n"
				  "  - X-Real-IP\n"
				  "  - True-Client-IP\n"
				  "  - X-Client-IP\n"
				  "  - Client-IP\n"
				  "  - X-Cluster-Client-IP\n"
				  "  - CF-Connecting-IP\n"
				  "  - Fastly-Client-IP\n"
				  "  - X-Original-URL\n"
				  "  - X-Rewrite-URL\n"
				  "  - Proxy\n"
				  "  underscores: drop\n"
				  "  request_id:\n"
				  "    enabled: false\n"
				  "  trace:\n"
				  "    start: never\n"
				  "    sampled: true\n"
				  "  alt_svc: \"\"\n"
				  "tls:\n"
				  "  profile: intermediate\n"
				  "  handshake_threads: auto\n"
				  "  unknown_host: default\n"
				  "  ocsp: true\n"
				  "  certificate_compression: []\n"
				  "  keys:\n"
				  "    place: process\n"
				  "  tickets:\n"
				  "    count: 1\n"
				  "    lifetime: 1d\n"
				  "  early_data: 16KiB\n"
				  "edges: {}\n"
				  "nameservers:\n"
				  "  n:\n"
				  "    listen:\n"
				  "    - '*:53'\n"
				  "    control: /n\n"
				  "    state: /s\n"
				  "    workers: 0\n"
				  "origins: {}\n"
				  "sites: {}\n"
				  "zones: {}\n"
				  "geo:\n"
				  "  database: []\n"
				  "  overrides: []\n");
	free(text);
}

/* Texts that mean something else to YAML, or to the expansion of variables, than themselves. */
static void test_dump_of_strange_values(void **state)
{
	static const char *const paths[] = {
	    "/$x",   "/a: b",     "/a #b", "/ ",       "/'\"\\",
	    "/${x}", "/\xc3\xa9", "/%",    "/*&!|>@`", "/\xf0\x9f\x9a\x80",
	    "/$$",
	};
	char *text;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct cfg_fleet *f;

		setenv("PERIGEE_PATH", paths[i], 1);
		f = load_good("zones: {z: {file: \"${PERIGEE_PATH}\"}}\n");
		assert_string_equal(f->zones[0].file, paths[i]);
		free(round_trip(f));
	}
	text = round_trip(load_good("http: {access_log: {output: \"\"}}\nedges: {\"null\": }\n"));
	assert_non_null(strstr(text, "output: \"\"\n"));
	assert_non_null(strstr(text, "  \"null\":\n"));
	free(text);
}

/* All edges for each site, 5,000 x 300, were more values than a configuration may have. */
static void test_dump_of_many_sites_could_not_be_loaded(void **state)
{
	char *text = NULL, *first;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	CHECK(f != NULL);
	fprintf(f, "edges:\n");
	for (unsigned i = 0; i < 300; i++)
		fprintf(f, "  e%u:\n", i);
	fprintf(f, "origins: {o: {servers: a}}\nsites:\n");
	for (unsigned i = 0; i < 5000; i++)
		fprintf(f,
			"  s%u: {hosts: h%u, certificates: {certificate: c, key: k}, "
			"routes: {origin: o}%s}\n",
			i, i, i == 7 ? ", edges: [e2, e1]" : "");
	CHECK(fclose(f) == 0);
	first = round_trip(load_good(text));
	assert_non_null(strstr(first, "    edges: &list1\n    - e0\n"));
	assert_non_null(strstr(first, "    edges: *list1\n"));
	assert_non_null(strstr(first, "    edges:\n    - e2\n    - e1\n"));
	assert_null(strstr(first, "list2"));
	free(first);
	free(text);
}

/* Without a condition. */
#define ALWAYS                                                                                     \
	"        when:\n"                                                                          \
	"          methods: []\n"                                                                  \
	"          fields: []\n"                                                                   \
	"          query: []\n"                                                                    \
	"          client_cert: []\n"                                                              \
	"          networks: []\n"                                                                 \
	"          countries: []\n"                                                                \
	"          continents: []\n"                                                               \
	"          hosts: []\n"                                                                    \
	"          status: []\n"

/* A list of things within a list of things, and texts that are not set. */
static void test_dump_of_routes_and_tls(void **state)
{
	char *text = round_trip(
	    load_good("origins:\n"
		      "  a: {servers: s, tls: {enabled: on, ca: /c}, proxy_protocol: v1}\n"
		      "sites:\n"
		      "  w:\n"
		      "    hosts: h\n"
		      "    certificates: {certificate: /c, key: /k}\n"
		      "    routes:\n"
		      "      - path: /x\n"
		      "        origin: a\n"
		      "        response_fields:\n"
		      "          - {name: X, value: \"0\"}\n"
		      "          - {name: \"~\", action: add, value: \"$${{y}: #\"}\n"
		      "          - {name: Date, action: remove}\n"
		      "      - {origin: a}\n"));

	assert_non_null(strstr(text, "    - address: s:443\n"
				     "      weight: 1\n"
				     "      priority: 0\n"
				     "    balance:\n"
				     "      method: least-requests\n"
				     "      sticky:\n"
				     "        enabled: false\n"
				     "      slow_start: 0s\n"
				     "      spill: 50%\n"
				     "      subset: 0\n"
				     "    tls:\n"
				     "      enabled: true\n"
				     "      verify: true\n"
				     "      ca: /c\n"
				     "      name: \"\"\n"
				     "    proxy_protocol: v1\n"));
	assert_non_null(strstr(text, "    - path: /x\n"
				     "      exact: false\n"
				     "      name: \"\"\n"
				     "      when:\n"
				     "        methods: []\n"
				     "        fields: []\n"));
	assert_non_null(strstr(text, "      origin: a\n"
				     "      access: []\n"
				     "      limits: []\n"
				     "      split: {}\n"
				     "      split_by: '{client.ip}'\n"
				     "      redirect: []\n"
				     "      respond: []\n"
				     "      errors: []\n"
				     "      rewrite: {}\n"
				     "      request_fields: []\n"
				     "      response_fields:\n"
				     "      - name: X\n"
				     "        action: set\n"
				     "        value: 0\n" ALWAYS "      - name: \"~\"\n"
				     "        action: add\n"
				     "        value: '$${{y}: #'\n" ALWAYS "      - name: Date\n"
				     "        action: remove\n" ALWAYS));
	assert_non_null(strstr(text, "    - path: /\n"));
	assert_non_null(strstr(text, "      response_fields: []\n"));
	free(text);
}

static void test_samples(void **state)
{
	static const char *const names[] = {"minimal.yaml", "perigee.yaml"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char *path = xasprintf("%s/%s", SAMPLES, names[i]);

		free(round_trip(load_path(path)));
		free(path);
	}
}

static char *read_text(const char *path)
{
	char *text = xcalloc(1, 1 << 16);
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	assert_true(fread(text, 1, (1 << 16) - 1, f) > 0);
	fclose(f);
	return text;
}

/* Whether the option's place in the tree has a value; `path` as cfg_option_each() gives it. */
static bool is_written(const struct cfg_entry *entry, const char *path)
{
	size_t len = strcspn(path, ".");
	const char *rest = path[len] == '.' ? path + len + 1 : "";

	if (*path == '\0')
		return true;
	for (const struct cfg_entry *n = entry->first; n != NULL; n = n->next) {
		bool any = len == 1 && *path == '*';

		if ((any || (n->key && strlen(n->key) == len && memcmp(n->key, path, len) == 0)) &&
		    is_written(n, rest))
			return true;
	}
	/* A single item stands for a list of one. */
	return *path == '*' && entry->kind == CFG_ENTRY_MAP && is_written(entry, rest);
}

struct sample {
	const struct cfg_entry *tree;
	/* Rows whose places in it have values. A row of a table that is used in several places need
	 * have one in one of them. */
	const struct cfg_option *written[1024];
	unsigned n;
};

static bool is_shown(const struct sample *sample, const struct cfg_option *o)
{
	for (unsigned i = 0; i < sample->n; i++) {
		if (sample->written[i] == o)
			return true;
	}
	return false;
}

static void find_written(void *arg, const char *path, const struct cfg_option *o)
{
	struct sample *sample = arg;

	if (is_shown(sample, o) || !is_written(sample->tree, path))
		return;
	assert_true(sample->n < ARRAY_SIZE(sample->written));
	sample->written[sample->n++] = o;
}

static void check_sample(void *arg, const char *path, const struct cfg_option *o)
{
	if (!is_shown(arg, o))
		fail_msg("%s is not in the sample", path);
}

/* The annotated sample shows every option. */
static void test_sample_has_every_option(void **state)
{
	char *text = read_text(SAMPLES "/perigee.yaml");
	struct diag *diag = diag_create();
	unsigned budget = CFG_ENTRIES_MAX;
	struct cfg_memory mem;
	struct sample sample = {.n = 0};

	cfg_memory_init(&mem, CFG_MEMORY_MAX, diag);
	sample.tree = cfg_yaml_parse(&mem, "f", text, strlen(text), &budget, diag);
	cfg_option_each(cfg_options, find_written, &sample);
	cfg_option_each(cfg_options, check_sample, &sample);
	cfg_memory_fini(&mem);
	diag_destroy(&diag);
	free(text);
}

/* The schema of what stands under `schema`, whatever is around it. */
static json_t *map_in(json_t *schema)
{
	json_t *any = json_object_get(schema, "anyOf"), *more;

	/* A list or one map of it; a map or its shorthand. */
	for (; any != NULL; any = json_object_get(schema, "anyOf"))
		schema = json_array_get(any, 0);
	more = json_object_get(schema, "additionalProperties");
	if (json_is_object(more))
		schema = more;
	return schema;
}

static void check_schema(const struct cfg_option *table, json_t *schema)
{
	json_t *properties, *variants;
	size_t n = table == cfg_options, n_variants = 0; /* "include" */

	assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
	properties = json_object_get(schema, "properties");
	variants = json_object_get(schema, "dependentSchemas");
	for (const struct cfg_option *o = table; o->key != NULL; o++, n++) {
		json_t *child = json_object_get(properties, o->key);
		const char *text = json_string_value(json_object_get(child, "description"));

		assert_non_null(text);
		assert_memory_equal(text, o->prose, strlen(o->prose));
		assert_int_equal(o->fallback != NULL, json_object_get(child, "default") != NULL);
		if (o->choice != NULL) {
			assert_non_null(json_object_get(variants, o->key));
			n_variants++;
		}
		if (o->shape == CFG_PAIRS)
			assert_non_null(json_object_get(map_in(child), "anyOf"));
		else if (o->children != NULL)
			check_schema(o->children, map_in(child));
	}
	assert_int_equal(json_object_size(properties), n);
	assert_int_equal(json_object_size(variants), n_variants);
}

static void test_schema_has_every_row(void **state)
{
	json_t *schema = cfg_schema(), *again;
	char *text = json_dumps(schema, 0);

	again = json_loads(text, 0, NULL);
	assert_true(json_equal(schema, again));
	check_schema(cfg_options, schema);
	json_decref(again);
	json_decref(schema);
	free(text);
}

static void check_man(void *arg, const char *path, const struct cfg_option *o)
{
	char *item = xasprintf("\n.It Ic %s : ", path);

	assert_non_null(strstr(arg, item));
	free(item);
}

static void test_man_has_every_row(void **state)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	CHECK(f != NULL);
	cfg_man(f);
	CHECK(fclose(f) == 0);
	cfg_option_each(cfg_options, check_man, text);
	/* The short form of a section says the other of its default. */
	assert_non_null(strstr(text, ".Ql health: off\nturns it off.\n"));
	assert_non_null(strstr(text, ".Ql tls: on\nturns it on.\n"));
	assert_non_null(strstr(text, "\nOnly with\n.Ic policy weighted .\n"));
	assert_non_null(
	    strstr(text, "\n.It Ic zones.*.steered.*.weights : No map of number by edge\n"));
	free(text);
}

static void test_man_says_the_limits(void **state)
{
	char *text = read_text(SAMPLES "/../perigee.yaml.5.in");
	char *limits = xasprintf("at most %d files and %d MiB,\n"
				 "included by each other up to %d deep;\n"
				 "%d maps, lists and values, nested up to %d deep; and %d edges.\n",
				 CFG_FILES_MAX, CFG_FILE_BYTES_MAX >> 20, CFG_INCLUDE_DEPTH_MAX,
				 CFG_ENTRIES_MAX, CFG_DEPTH_MAX, CFG_EDGES_MAX);

	assert_non_null(strstr(text, limits));
	assert_non_null(strstr(text, "\n@OPTIONS@\n"));
	assert_int_equal(CFG_REPEATED_VALUES, 16); /* "as a sixteenth" */
	assert_int_equal(CFG_VALUE_BYTES_MAX, 64 << 10);
	assert_non_null(strstr(text, "at most 64 KiB long"));
	free(limits);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_dump_of_defaults),
	    cmocka_unit_test(test_dump_of_strange_values),
	    cmocka_unit_test(test_dump_of_many_sites_could_not_be_loaded),
	    cmocka_unit_test(test_dump_of_routes_and_tls),
	    cmocka_unit_test(test_samples),
	    cmocka_unit_test(test_sample_has_every_option),
	    cmocka_unit_test(test_schema_has_every_row),
	    cmocka_unit_test(test_man_has_every_row),
	    cmocka_unit_test(test_man_says_the_limits),
	};

	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
