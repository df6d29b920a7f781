/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fuzzes what is changed in requests and responses. The input is lines: a target; a rewrite ("p"
 * and a path, "s" and a prefix, "r" with a regular expression, a tab and what comes in its place,
 * "h" and a host); a rule for a field ("s", "a", "l" or "r" for set, add, append or remove, a name,
 * ":" and a value); then fields of the request. What must hold: what the configuration would take
 * is done or refused; no text brings into a field or a target what must not be there; and no path
 * that was rewritten has a dot segment for anybody who reads it.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/change.h"
#include "core/base/check.h"
#include "core/http/chars.h"
#include "core/http/path.h"
#include "core/http/regex.h"
#include "edge/facts/client.h"
#include "edge/facts/facts.h"
#include "edge/facts/template.h"
#include "edge/rules/cors.h"
#include "edge/rules/field_rules.h"
#include "edge/rules/rewrite.h"

#define INPUT_MAX 4096
#define FIELDS_MAX 20
/* How often somebody may decode a path. */
#define DECODINGS 3

struct input {
	char text[INPUT_MAX + 1];
	char *rest;
};

struct message {
	struct arena arena;
	struct edge_client client;
	struct http_path path;
	struct http_head request, response;
	struct edge_facts facts;
};

/* NUL-terminated; "" when there are no more. */
static char *next_line(struct input *in)
{
	char *line = in->rest, *end = strchrnul(line, '\n');

	in->rest = *end ? end + 1 : end;
	*end = '\0';
	return line;
}

static bool is_text(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	}
	return true;
}

/* As the configuration reads it. */
static bool is_template(const char *text, enum cfg_known known)
{
	char *why = cfg_template_check(text, known);
	bool ok = !why && is_text(text);

	free(why);
	return ok;
}

static bool begin(struct message *m, char *target)
{
	const char *why;

	*m = (struct message){
	    .client = {.ip = "192.0.2.1", .tls = "TLS1.3", .scheme = SPAN("https")}};
	arena_init(&m->arena, 1 << 20);
	http_head_init(&m->request, &m->arena);
	http_head_init(&m->response, &m->arena);
	m->response.status = 200;
	m->request.method = SPAN("OPTIONS");
	m->request.method_id = HTTP_METHOD_OPTIONS;
	m->request.scheme = SPAN("https");
	m->request.authority = SPAN("www.example.com:8443");
	m->request.target = span_of(target);
	m->facts = (struct edge_facts){
	    .client = &m->client,
	    .request = &m->request,
	    .response = &m->response,
	    .path = &m->path,
	    .node = SPAN("fra1"),
	};
	return http_chars_are(m->request.target, HTTP_CHAR_TARGET) &&
	       http_path_parse(&m->path, m->request.target, &m->arena, &why) == HTTP_PATH_OK;
}

static void add_fields(struct message *m, struct input *in)
{
	for (unsigned i = 0; i < FIELDS_MAX && *in->rest; i++) {
		char *line = next_line(in);
		struct http_field field;

		if (!h1_field_parse(span_of(line), true, &field))
			CHECK(http_fields_add(&m->request.fields, &m->arena, field.name,
					      field.value));
	}
}

static void check_fields(const struct http_fields *fields)
{
	for (unsigned i = 0; i < fields->n; i++) {
		struct span value = fields->v[i].value;

		CHECK(fields->v[i].name.n > 0 &&
		      http_chars_are(fields->v[i].name, HTTP_CHAR_TOKEN));
		CHECK(http_chars_are(value, HTTP_CHAR_VALUE));
		CHECK(value.n == 0 ||
		      (value.p[0] != ' ' && value.p[0] != '\t' && value.p[value.n - 1] != ' ' &&
		       value.p[value.n - 1] != '\t'));
	}
}

/* The same text, whatever it becomes. */
static void check_template(struct message *m, const char *text)
{
	for (unsigned use = EDGE_TEXT_PLAIN; use <= EDGE_TEXT_TARGET; use++) {
		struct edge_template *t = edge_template_create(text, (enum edge_text_use)use);
		struct span first, second;

		if (edge_template_expand(t, &m->facts, &m->arena, &first)) {
			CHECK(edge_template_expand(t, &m->facts, &m->arena, &second));
			CHECK(span_equal(first, second));
			CHECK(!edge_template_has_variables(t) || first.n <= EDGE_TEMPLATE_MAX);
			CHECK(use != EDGE_TEXT_FIELD || http_chars_are(first, HTTP_CHAR_VALUE) ||
			      !edge_template_has_variables(t));
			for (size_t i = 0; i < first.n && use == EDGE_TEXT_TARGET; i++)
				CHECK(first.p[i] > ' ' && first.p[i] < 0x7f);
		}
		edge_template_destroy(&t);
	}
}

static size_t decode(char *p, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		char c = p[i];

		if (c == '%' && n - i > 2 && http_hex_value(p[i + 1]) >= 0 &&
		    http_hex_value(p[i + 2]) >= 0) {
			c = (char)(http_hex_value(p[i + 1]) << 4 | http_hex_value(p[i + 2]));
			i += 2;
		}
		p[kept++] = c;
	}
	return kept;
}

/* Segments end at `ends`; of one with ";" in it what comes before counts too. */
static void check_segments(const char *p, size_t n, const char *ends)
{
	for (size_t i = 0, end; i < n; i = end + 1) {
		for (end = i; end < n && (p[end] == '\0' || !strchr(ends, p[end]));)
			end++;
		CHECK(!(end - i == 1 && p[i] == '.'));
		CHECK(!(end - i == 2 && p[i] == '.' && p[i + 1] == '.'));
	}
}

static void check_target(struct span target)
{
	const char *query = memchr(target.p, '?', target.n);
	size_t n = query ? (size_t)(query - target.p) : target.n;
	char *path = xmalloc(n);

	CHECK(n > 0 && target.p[0] == '/' && (n == 1 || target.p[1] != '/'));
	CHECK(http_chars_are(target, HTTP_CHAR_TARGET));
	memcpy(path, target.p, n);
	for (unsigned i = 0; i <= DECODINGS; i++) {
		check_segments(path, n, "/");
		check_segments(path, n, "/\\;");
		CHECK(memchr(path, '\0', n) == NULL);
		n = decode(path, n);
	}
	free(path);
}

static bool is_prefix(const char *text)
{
	return text[0] == '/' && http_chars_are(span_of(text), HTTP_CHAR_TARGET) &&
	       !strpbrk(text, "?%;\\") && !strstr(text, "//") && !strstr(text, "/.") &&
	       (text[1] == '\0' || text[strlen(text) - 1] != '/');
}

/* False: the configuration would not take it. */
static bool read_rewrite(struct cfg_rewrite *cfg, char *line)
{
	char *tab = strchr(line, '\t'), *why, *text = line[0] ? line + 1 : line;
	struct regex *regex;

	*cfg = (struct cfg_rewrite){0};
	switch (line[0]) {
	case 'p':
		cfg->path = text;
		return (text[0] == '/' || text[0] == '{') && !strchr(text, '#') &&
		       is_template(text, CFG_KNOWN_REQUEST);
	case 's':
		cfg->strip_prefix = text;
		return is_prefix(text);
	case 'h':
		cfg->host = text;
		return is_template(text, CFG_KNOWN_REQUEST);
	case 'r':
		if (!tab)
			return false;
		*tab = '\0';
		cfg->regex = text;
		cfg->to = tab + 1;
		regex = *text ? regex_compile(text, &why) : NULL;
		if (*text && !regex)
			free(why);
		if (!regex || strchr(cfg->to, '#') || !is_template(cfg->to, CFG_KNOWN_REQUEST)) {
			regex_destroy(&regex);
			return false;
		}
		regex_destroy(&regex);
		return true;
	default:
		return false;
	}
}

static void check_rewrite(struct message *m, const struct cfg_rewrite *cfg)
{
	struct edge_rewrite *rewrite = edge_rewrite_create(cfg);
	struct span host, port;
	struct http_head head;
	int status;

	CHECK(http_head_copy(&head, &m->request, &m->arena));
	status = edge_rewrite_apply(rewrite, &m->facts, &head);
	CHECK(status == 0 || status == 400 || status == 414 || status == 431);
	if (status == 0 && head.target.p != m->request.target.p)
		check_target(head.target);
	if (status == 0 && cfg->host)
		CHECK(http_authority_split(head.authority, &host, &port) && host.n > 0);
	edge_rewrite_destroy(&rewrite);
}

static void check_rule(struct message *m, char *line)
{
	static const char letters[] = "salr";
	const char *letter = line[0] ? strchr(letters, line[0]) : NULL;
	char *colon = strchr(line, ':');
	struct cfg_field_rule cfg;

	if (!letter || !colon || colon == line + 1)
		return;
	*colon = '\0';
	cfg = (struct cfg_field_rule){
	    .name = line + 1,
	    .action = (enum cfg_field_action)(letter - letters),
	    .value = colon + 1,
	};
	if (!http_chars_are(span_of(cfg.name), HTTP_CHAR_TOKEN) || cfg.value[0] == ' ' ||
	    cfg.value[strlen(cfg.value) - (cfg.value[0] != '\0')] == ' ' ||
	    !is_template(cfg.value, CFG_KNOWN_RESPONSE))
		return;
	check_template(m, cfg.value);
	for (unsigned of = 0; of < 2; of++) {
		struct field_rules *rules = field_rules_create(&cfg, 1, (enum field_rules_of)of);
		struct http_head head;

		CHECK(http_head_copy(&head, &m->request, &m->arena));
		if (field_rules_apply(rules, &head.fields, &m->facts, &m->arena) ==
		    FIELD_RULES_DONE)
			check_fields(&head.fields);
		field_rules_clean_trailers(rules, &head.fields);
		for (unsigned i = 0; i < head.fields.n && cfg.action == CFG_FIELD_SET; i++)
			CHECK(!span_equal_nocase(head.fields.v[i].name, span_of(cfg.name)));
		field_rules_destroy(&rules);
	}
}

/* Nobody but who is listed is ever named. */
static void check_cors(struct message *m)
{
	static const char *origins[] = {"https://a.example", "https://*.b.example"};
	static const struct cfg_cors cfg = {.origins = {origins, 2}, .credentials = true};
	struct edge_cors *cors = edge_cors_create(&cfg);
	const struct http_field *allowed;
	struct span tail = SPAN(".b.example"), value;

	CHECK(edge_cors_respond(cors, &m->request, &m->response));
	edge_cors_preflight(cors, &m->request);
	check_fields(&m->response.fields);
	allowed = http_fields_find(&m->response.fields, SPAN("Access-Control-Allow-Origin"), NULL);
	if (allowed && !span_equal_nocase(allowed->value, span_of(origins[0]))) {
		value = allowed->value;
		CHECK(value.n > 8 + tail.n && strncasecmp(value.p, "https://", 8) == 0);
		CHECK(strncasecmp(value.p + value.n - tail.n, tail.p, tail.n) == 0);
		CHECK(!memchr(value.p + 8, '/', value.n - 8));
	}
	edge_cors_destroy(&cors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input *in;
	struct cfg_rewrite cfg;
	struct message m;
	char *rewrite, *rule;

	if (size > INPUT_MAX || memchr(data, '\0', size))
		return 0;
	in = xcalloc(1, sizeof(*in));
	in->rest = in->text;
	if (size > 0)
		memcpy(in->text, data, size);
	if (begin(&m, next_line(in))) {
		rewrite = next_line(in);
		rule = next_line(in);
		add_fields(&m, in);
		if (read_rewrite(&cfg, rewrite))
			check_rewrite(&m, &cfg);
		check_rule(&m, rule);
		check_cors(&m);
	}
	arena_fini(&m.arena);
	free(in);
	return 0;
}
