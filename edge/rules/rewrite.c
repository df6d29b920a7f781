/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rewriting: a new target is put together from the path in normal form and from texts with
 * variables, then judged.
 */
#include "edge/rules/rewrite.h"

#include <stdlib.h>
#include <string.h>

#include "config/change.h"
#include "core/base/check.h"
#include "core/http/chars.h"
#include "core/http/path.h"
#include "core/http/regex.h"
#include "edge/facts/facts.h"
#include "edge/facts/template.h"

struct edge_rewrite {
	struct span prefix;         /* to strip; empty: none */
	struct edge_template *path; /* in place of all; NULL: not so */
	struct regex *regex;        /* what is replaced by `to`; NULL: nothing */
	struct edge_template *to;
	struct edge_template *host; /* NULL: stays */
};

struct edge_rewrite *edge_rewrite_create(const struct cfg_rewrite *cfg)
{
	struct edge_rewrite *rewrite;
	char *why;

	if (!cfg->strip_prefix && !cfg->path && !cfg->regex && !cfg->host)
		return NULL;
	rewrite = xcalloc(1, sizeof(*rewrite));
	if (cfg->strip_prefix)
		rewrite->prefix = span_of(cfg->strip_prefix);
	if (cfg->path)
		rewrite->path = edge_template_create(cfg->path, EDGE_TEXT_TARGET);
	if (cfg->regex) {
		rewrite->regex = regex_compile(cfg->regex, &why);
		CHECK(rewrite->regex);
		rewrite->to = edge_template_create(cfg->to, EDGE_TEXT_TARGET);
	}
	if (cfg->host)
		rewrite->host = edge_template_create(cfg->host, EDGE_TEXT_FIELD);
	return rewrite;
}

void edge_rewrite_destroy(struct edge_rewrite **rewritep)
{
	struct edge_rewrite *rewrite = TAKE(rewritep);

	if (!rewrite)
		return;
	edge_template_destroy(&rewrite->path);
	edge_template_destroy(&rewrite->to);
	edge_template_destroy(&rewrite->host);
	regex_destroy(&rewrite->regex);
	free(rewrite);
}

/* A target that is being put together. */
struct draft {
	struct arena *arena;
	struct span path;
	struct span query; /* with its "?"; empty: none */
	int status;        /* not 0: it has failed */
};

static void fail(struct draft *d, int status)
{
	if (d->status == 0)
		d->status = status;
}

/* Pieces of a target, one after the other, the first and the last of the path in normal form. */
static struct span join(struct draft *d, struct span before, struct span middle, struct span after)
{
	size_t cap = 3 * (before.n + after.n) + middle.n;
	char *text = arena_alloc(d->arena, cap);
	struct edge_writer w = {.p = text, .cap = cap, .use = EDGE_TEXT_TARGET};

	if (!text) {
		fail(d, 431);
		return SPAN("");
	}
	edge_write_path(&w, before);
	edge_write_literal(&w, middle);
	edge_write_path(&w, after);
	CHECK(w.n <= cap);
	return (struct span){text, w.n};
}

static struct span expand(struct draft *d, const struct edge_template *t,
			  const struct edge_facts *facts)
{
	struct span text = SPAN("");

	if (!edge_template_expand(t, facts, d->arena, &text))
		fail(d, 414);
	return text;
}

/* Several slashes in a row become one: a target that begins with two is read as a host by some. */
static struct span merge_slashes(struct draft *d, struct span path)
{
	char *text, *p;

	if (!memmem(path.p, path.n, "//", 2))
		return path;
	p = text = arena_alloc(d->arena, path.n);
	if (!text) {
		fail(d, 431);
		return path;
	}
	for (size_t i = 0; i < path.n; i++) {
		if (i == 0 || path.p[i] != '/' || path.p[i - 1] != '/')
			*p++ = path.p[i];
	}
	return (struct span){text, (size_t)(p - text)};
}

/* Whether a segment is "." or "..", percent-encoded or not. */
static bool has_dot_segment(struct span path)
{
	size_t dots = 0, others = 0;

	for (size_t i = 0; i <= path.n; i++) {
		struct span rest = {path.p + i, path.n - i};

		if (rest.n == 0 || rest.p[0] == '/') {
			if (others == 0 && (dots == 1 || dots == 2))
				return true;
			dots = others = 0;
		} else if (rest.p[0] == '.') {
			dots++;
		} else if (rest.n > 2 && rest.p[0] == '%' && rest.p[1] == '2' &&
			   (rest.p[2] | 0x20) == 'e') {
			dots++;
			i += 2;
		} else {
			others++;
		}
	}
	return false;
}

/* What follows the first "?" in what the operator wrote is the query then. */
static void take(struct draft *d, struct span text)
{
	const char *mark = text.n > 0 ? memchr(text.p, '?', text.n) : NULL;
	struct span path = text;

	if (mark) {
		path.n = (size_t)(mark - text.p);
		d->query = (struct span){mark, text.n - path.n};
		if (d->query.n == 1)
			d->query.n = 0;
	}
	d->path = merge_slashes(d, path);
}

/* As the client wrote it, when that is the same path: an origin may care for how it is spelled. */
static bool strip_as_written(struct draft *d, struct span target, struct span prefix,
			     struct span wanted)
{
	size_t n = target.n - d->query.n;
	struct http_path path;
	const char *why;

	if (n <= prefix.n || memcmp(target.p, prefix.p, prefix.n) != 0)
		return false;
	target = (struct span){target.p + prefix.n, n - prefix.n};
	if (target.p[0] != '/' || (target.n > 1 && target.p[1] == '/') || has_dot_segment(target) ||
	    http_path_parse(&path, target, d->arena, &why) != HTTP_PATH_OK ||
	    !span_equal(path.text, wanted))
		return false;
	d->path = target;
	return true;
}

static void strip(struct draft *d, struct span prefix, const struct edge_facts *facts,
		  struct span target)
{
	struct span text = facts->path->text, left;

	if (!http_path_is_under(text, prefix))
		return;
	if (prefix.n == 1)
		return;
	left = (struct span){text.p + prefix.n, text.n - prefix.n};
	if (left.n == 0)
		d->path = SPAN("/");
	else if (!strip_as_written(d, target, prefix, left))
		d->path = join(d, left, SPAN(""), SPAN(""));
}

static void replace(struct draft *d, const struct edge_rewrite *rewrite,
		    const struct edge_facts *facts)
{
	struct span text = facts->path->text, before = text, after = text, found;
	struct edge_facts own = *facts;

	switch (regex_match(rewrite->regex, text, &own.captures)) {
	case REGEX_NO:
		return;
	case REGEX_UNSURE:
		fail(d, 400);
		return;
	case REGEX_YES:
		break;
	}
	found = own.captures.v[0];
	if (!found.p) {
		/* Its end is before its beginning, by "\K" in what is looked for ahead. */
		fail(d, 400);
		return;
	}
	before.n = (size_t)(found.p - text.p);
	after.p = found.p + found.n;
	after.n = text.n - before.n - found.n;
	take(d, join(d, before, expand(d, rewrite->to, &own), after));
}

static void judge(struct draft *d)
{
	struct http_path path;
	const char *why;

	if (d->status != 0)
		return;
	if (d->path.n == 0 || d->path.p[0] != '/' || has_dot_segment(d->path) ||
	    !http_chars_are(d->path, HTTP_CHAR_TARGET) ||
	    !http_chars_are(d->query, HTTP_CHAR_TARGET)) {
		fail(d, 400);
		return;
	}
	switch (http_path_parse(&path, d->path, d->arena, &why)) {
	case HTTP_PATH_OK:
		break;
	case HTTP_PATH_BAD:
		fail(d, 400);
		break;
	case HTTP_PATH_NO_ROOM:
		fail(d, 431);
		break;
	}
}

static int rewrite_target(const struct edge_rewrite *rewrite, const struct edge_facts *facts,
			  struct http_head *head)
{
	struct span target = head->target;
	const char *mark = memchr(target.p, '?', target.n);
	struct draft d = {.arena = head->arena, .query = SPAN("")};
	char *text;

	if (mark)
		d.query = (struct span){mark, target.n - (size_t)(mark - target.p)};
	if (rewrite->prefix.n > 0)
		strip(&d, rewrite->prefix, facts, target);
	else if (rewrite->path)
		take(&d, expand(&d, rewrite->path, facts));
	else
		replace(&d, rewrite, facts);
	if (d.status == 0 && !d.path.p)
		return 0;
	judge(&d);
	if (d.status != 0)
		return d.status;
	text = arena_alloc(d.arena, d.path.n + d.query.n);
	if (!text)
		return 431;
	mempcpy(mempcpy(text, d.path.p, d.path.n), d.query.p, d.query.n);
	head->target = (struct span){text, d.path.n + d.query.n};
	return 0;
}

static int rewrite_host(const struct edge_template *host, const struct edge_facts *facts,
			struct http_head *head)
{
	struct span authority, name, port;

	if (!edge_template_expand(host, facts, head->arena, &authority))
		return 431;
	if (authority.n == 0 || !http_authority_split(authority, &name, &port) || name.n == 0)
		return 400;
	head->authority = authority;
	return 0;
}

int edge_rewrite_apply(const struct edge_rewrite *rewrite, struct edge_facts *facts,
		       struct http_head *head)
{
	bool has_path = rewrite->prefix.n > 0 || rewrite->path || rewrite->regex;
	int status = 0;

	if (has_path && facts->path && !span_equal(head->target, SPAN("*")))
		status = rewrite_target(rewrite, facts, head);
	if (status == 0 && rewrite->host)
		status = rewrite_host(rewrite->host, facts, head);
	return status;
}
