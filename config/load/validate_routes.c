/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rules of routes: each does one thing, and a request can come to it; and of what the edge answers
 * itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/load/rules.h"
#include "config/types/template.h"
#include "core/base/check.h"
#include "core/http/message.h"
#include "core/http/regex.h"

/* Where a redirect goes */

/* What a URL of a redirect is, read from left to right. */
struct target {
	enum { TARGET_START, TARGET_AUTHORITY, TARGET_PATH } at;
	bool has_authority;
	char authority[512]; /* with a name and a number for {host} and {port} */
	size_t n;
};

static bool add_to_authority(struct target *t, const char *text, size_t n)
{
	if (n >= sizeof(t->authority) - t->n)
		return false;
	memcpy(t->authority + t->n, text, n);
	t->n += n;
	return true;
}

static bool take_variable(struct target *t, enum cfg_variable variable)
{
	bool is_path = variable == CFG_VAR_PATH || variable == CFG_VAR_TARGET;

	switch (t->at) {
	case TARGET_START:
		t->at = TARGET_PATH;
		return is_path;
	case TARGET_AUTHORITY:
		if (variable == CFG_VAR_HOST)
			return add_to_authority(t, "host", 4);
		if (variable == CFG_VAR_PORT)
			return add_to_authority(t, "1", 1);
		t->at = TARGET_PATH;
		return is_path;
	case TARGET_PATH:
		break;
	}
	return true;
}

static bool take_text(struct target *t, const char *text, size_t n)
{
	size_t scheme = 0, end = 0;

	for (size_t i = 0; i < n; i++) {
		if (text[i] <= ' ' || text[i] >= 0x7f)
			return false;
	}
	if (t->at == TARGET_START) {
		if (n > 0 && text[0] == '/') {
			t->at = TARGET_PATH;
			return n == 1 || (text[1] != '/' && text[1] != '\\');
		}
		if (n >= 8 && memcmp(text, "https://", 8) == 0)
			scheme = 8;
		else if (n >= 7 && memcmp(text, "http://", 7) == 0)
			scheme = 7;
		if (scheme == 0)
			return false;
		t->at = TARGET_AUTHORITY;
		t->has_authority = true;
		text += scheme;
		n -= scheme;
	}
	if (t->at == TARGET_PATH)
		return true;
	while (end < n && strchr("/?#\\", text[end]) == NULL)
		end++;
	if (end < n)
		t->at = TARGET_PATH;
	return add_to_authority(t, text, end) && (end == n || text[end] != '\\');
}

/* What makes of it that nobody outside decides which host it goes to. */
static bool is_redirect_target(const char *to)
{
	struct target t = {.at = TARGET_START};
	struct cfg_template_part part;
	struct span host, port;

	while (cfg_template_next(&to, &part)) {
		if (!(part.is_variable ? take_variable(&t, part.variable)
				       : take_text(&t, part.text, part.n)))
			return false;
	}
	if (!t.has_authority)
		return t.at == TARGET_PATH;
	return http_authority_split((struct span){t.authority, t.n}, &host, &port) && host.n > 0;
}

static void validate_redirect(struct validator *v, const struct cfg_redirect *r, const char *path)
{
	if (r->status != 0 && r->status > 303 && r->status < 307)
		diag_add(v->diag, r->place,
			 "%s.redirect.status: %u is not 301, 302, 303, 307 or 308", path,
			 r->status);
	if (r->to != NULL && !is_redirect_target(r->to))
		diag_add(
		    v->diag, r->place,
		    "%s.redirect.to: \"%s\" is neither a URL of http or https nor a path that "
		    "begins with one \"/\"; only {host} and {port} may be in front of the path",
		    path, r->to);
}

/* What the edge answers itself */

static void validate_content(struct validator *v, const char *text, const char *file,
			     struct cfg_place place, const char *path)
{
	if ((text != NULL) == (file != NULL))
		diag_add(v->diag, place, "%s: either text or file was expected, not %s", path,
			 text != NULL ? "both" : "none of them");
}

static void validate_respond(struct validator *v, const struct cfg_respond *r, const char *route)
{
	char *path = xasprintf("%s.respond", route);

	validate_content(v, r->text, r->file, r->place, path);
	if (r->status >= 300 && r->status <= 399)
		diag_add(v->diag, r->place,
			 "%s: a response with status %u says where to go; use redirect", path,
			 r->status);
	if ((r->status == 204 || r->status == 205) && (r->file != NULL || (r->text && *r->text)))
		diag_add(v->diag, r->place,
			 "%s: a response with status %u has no content: write text: \"\"", path,
			 r->status);
	free(path);
}

static void validate_errors(struct validator *v, const struct cfg_error_page *errors, unsigned n,
			    const char *above)
{
	for (unsigned i = 0; i < n; i++) {
		char *path = xasprintf("%s.errors[%u]", above, i);

		validate_content(v, errors[i].text, errors[i].file, errors[i].place, path);
		for (unsigned s = 0; s < errors[i].statuses.n; s++) {
			if (errors[i].statuses.v[s].low != 0 && errors[i].statuses.v[s].low < 400)
				diag_add(v->diag, errors[i].place,
					 "%s.status: %u is no error; those begin at 400", path,
					 errors[i].statuses.v[s].low);
		}
		free(path);
	}
}

/* What a route does */

static void validate_split(struct validator *v, const struct cfg_route *r, const char *path)
{
	unsigned long sum = 0;

	for (unsigned i = 0; i < r->n_split; i++)
		sum += r->split[i].weight;
	if (r->n_split > 0 && sum == 0)
		diag_add(v->diag, r->split[0].place, "%s.split: all weights are 0", path);
}

static void validate_auth(struct validator *v, const struct cfg_auth *auth, const char *path)
{
	if (auth->n_basic > 1)
		diag_add(v->diag, auth->basic[1].place, "%s.auth.basic: there may be one only",
			 path);
	if (auth->n_forward > 1)
		diag_add(v->diag, auth->forward[1].place, "%s.auth.forward: there may be one only",
			 path);
}

static void validate_retries(struct validator *v, const struct cfg_route *r,
			     const struct cfg_entry *map, const char *path)
{
	char *name = xasprintf("%s.retries", path);

	cfg_validate_retries(v, name, &r->terms.retries[0], map, r->terms.retries[0].place);
	free(name);
}

/* `entry` is the route's: an origin that was complained about is none. */
static void validate_action(struct validator *v, const struct cfg_route *r,
			    const struct cfg_entry *entry, const char *path)
{
	bool origin = cfg_entry_get(entry, "origin") != NULL;
	unsigned n = origin + (r->n_split > 0) + (r->n_redirect > 0) + (r->n_respond > 0);

	if (n != 1 && entry != NULL && entry->kind == CFG_ENTRY_MAP)
		diag_add(v->diag, r->place,
			 "%s: one of origin, split, redirect, respond was expected, not %s", path,
			 n == 0 ? "none of them" : "several");
	if (r->n_redirect > 1)
		diag_add(v->diag, r->redirect[1].place, "%s.redirect: there may be one only", path);
	if (r->n_respond > 1)
		diag_add(v->diag, r->respond[1].place, "%s.respond: there may be one only", path);
	if (r->terms.n_retries > 1)
		diag_add(v->diag, r->terms.retries[1].place, "%s.retries: there may be one only",
			 path);
	if (r->terms.n_retries > 0)
		validate_retries(v, r, cfg_first_item(entry, "retries"), path);
	validate_split(v, r, path);
	if (r->n_redirect > 0)
		validate_redirect(v, &r->redirect[0], path);
	if (r->n_respond > 0)
		validate_respond(v, &r->respond[0], path);
	validate_errors(v, r->errors, r->n_errors, path);
}

/* What never comes to it */

static bool is_wildcard(const char *host)
{
	return strncmp(host, "*.", 2) == 0;
}

/* Whether a host may be meant by both patterns. */
static bool may_be_both(const char *a, const char *b)
{
	const char *end_a = a + is_wildcard(a), *end_b = b + is_wildcard(b);
	size_t n_a = strlen(end_a), n_b = strlen(end_b);

	if (!is_wildcard(a) && !is_wildcard(b))
		return strcmp(a, b) == 0;
	if (!is_wildcard(b) || (is_wildcard(a) && n_a < n_b))
		return n_b >= n_a && strcmp(end_b + n_b - n_a, end_a) == 0;
	return n_a >= n_b && strcmp(end_a + n_a - n_b, end_b) == 0;
}

static void validate_hosts(struct validator *v, const struct cfg_site *s, const struct cfg_route *r,
			   const struct cfg_entry *when, const char *path)
{
	struct cfg_item_places places = cfg_places_of_items(when, "hosts", r->place);

	for (unsigned i = 0; i < r->when.hosts.n; i++) {
		struct cfg_place place = cfg_next_place(&places);
		const char *host = r->when.hosts.v[i];
		bool found = host == NULL;

		for (unsigned h = 0; h < s->hosts.n && !found; h++)
			found = s->hosts.v[h] == NULL || may_be_both(s->hosts.v[h], host);
		if (!found)
			diag_add(v->diag, place,
				 "%s.when.hosts: \"%s\" never matches: the site has no such host",
				 path, host);
	}
}

static void validate_regex(struct validator *v, const struct cfg_route *r,
			   const struct cfg_entry *when, const char *path)
{
	struct regex *regex;
	enum regex_result result;
	char *why;

	if (r->when.regex == NULL || r->path == NULL)
		return;
	regex = regex_compile(r->when.regex, &why);
	CHECK(regex != NULL); /* else it would not have been kept */
	result = r->exact ? regex_match(regex, span_of(r->path), NULL)
			  : regex_match_beginning(regex, span_of(r->path));
	if (result == REGEX_NO)
		diag_add(v->diag, cfg_place_of(when, "regex", r->place),
			 "%s.when.regex: \"%s\" never matches: the route's path is \"%s\"", path,
			 r->when.regex, r->path);
	regex_destroy(&regex);
}

static void print_strings(FILE *out, const char *key, const struct cfg_strings *s)
{
	if (s->n > 0)
		fprintf(out, " %s", key);
	for (unsigned i = 0; i < s->n; i++)
		fprintf(out, " %s", s->v[i] != NULL ? s->v[i] : "");
}

static void print_parts(FILE *out, const char *key, const struct cfg_match_part *parts, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		fprintf(out, " %s \"%s\" \"%s\" \"%s\" %d", key,
			parts[i].name != NULL ? parts[i].name : "",
			parts[i].value != NULL ? parts[i].value : "*",
			parts[i].regex != NULL ? parts[i].regex : "", parts[i].absent);
}

/* Equal for equal conditions; "" where nothing is asked. */
static char *print_match(const struct cfg_match *match)
{
	char *text = NULL, network[NET_ADDR_TEXT];
	size_t n;
	FILE *out = open_memstream(&text, &n);

	CHECK(out != NULL);
	print_strings(out, "methods", &match->methods);
	if (match->regex != NULL)
		fprintf(out, " regex %s", match->regex);
	print_parts(out, "field", match->fields, match->n_fields);
	print_parts(out, "query", match->query, match->n_query);
	print_parts(out, "client_cert", match->client_cert, match->n_client_cert);
	for (unsigned i = 0; i < match->networks.n; i++)
		fprintf(out, " network %s",
			match->networks.v[i].family != 0
			    ? net_prefix_format(&match->networks.v[i], network)
			    : "");
	print_strings(out, "countries", &match->countries);
	print_strings(out, "continents", &match->continents);
	print_strings(out, "hosts", &match->hosts);
	CHECK(fclose(out) == 0);
	return text;
}

/* Routes of one site, as they take requests from each other. */
struct order {
	struct cfg_claims taken; /* by path and conditions */
	/* The first of a path that asks for nothing; of prefixes, and of exact paths. */
	struct cfg_hash takes_all[2];
};

static void validate_order(struct validator *v, struct order *order, const struct cfg_route *r,
			   const char *path)
{
	struct cfg_hash *takes_all = &order->takes_all[r->exact];
	const struct cfg_route *first = cfg_hash_get(takes_all, r->path, strlen(r->path));
	char *conditions = print_match(&r->when);
	char *whole = xasprintf("%s%s%s%s", r->path, r->exact ? " exact" : "",
				*conditions != '\0' ? " when" : "", conditions);

	if (cfg_claim(v, &order->taken, whole, path, r->place) && first != NULL)
		diag_add(v->diag, r->place,
			 "%s: \"%s\" never matches: the route at %s:%u:%u takes all requests for "
			 "it",
			 path, whole, first->place.file, first->place.line, first->place.column);
	if (*conditions == '\0' && first == NULL)
		cfg_hash_put(takes_all, r->path, strlen(r->path), r);
	free(whole);
	free(conditions);
}

void cfg_validate_routes(struct validator *v, const struct cfg_site *s,
			 const struct cfg_entry *entry)
{
	const struct cfg_entry *item = cfg_first_item(entry, "routes");
	char *list = xasprintf("sites.%s.routes", s->name), *site = xasprintf("sites.%s", s->name);
	struct order order = {0};

	for (unsigned i = 0; i < s->n_routes; i++, item = item != NULL ? item->next : NULL) {
		const struct cfg_route *r = &s->routes[i];
		const struct cfg_entry *when = cfg_entry_get(item, "when");
		char *path = xasprintf("%s[%u]", list, i), *of_when = xasprintf("%s.when", path);

		validate_action(v, r, item, path);
		validate_auth(v, &r->terms.auth, path);
		cfg_validate_match(v, of_when, &r->when, when, r->place);
		validate_hosts(v, s, r, when, path);
		validate_regex(v, r, when, path);
		if (r->path != NULL)
			validate_order(v, &order, r, list);
		free(of_when);
		free(path);
	}
	validate_errors(v, s->errors, s->n_errors, site);
	cfg_claims_fini(&order.taken);
	cfg_hash_fini(&order.takes_all[false]);
	cfg_hash_fini(&order.takes_all[true]);
	free(site);
	free(list);
}
