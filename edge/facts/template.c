/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Expansion writes into a buffer on the stack first, which most results fit into; what does not is
 * written a second time, at its full length. A text without variables is expanded when it is read.
 */
#include "edge/facts/template.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/base/check.h"
#include "core/http/chars.h"

/* Most values of fields and targets are shorter. */
#define QUICK 512

struct edge_template {
	enum edge_text_use use;
	struct span literal; /* the result, when there are no variables; malloc'd */
	unsigned n;          /* 0: there are none */
	struct cfg_template_part parts[];
};

static unsigned count_parts(const char *text, bool *has_variables)
{
	struct cfg_template_part part;
	unsigned n = 0;

	*has_variables = false;
	while (cfg_template_next(&text, &part)) {
		*has_variables |= part.is_variable;
		n++;
	}
	return n;
}

static size_t write_parts(const struct edge_template *t, const struct edge_facts *facts, char *p,
			  size_t cap)
{
	struct edge_writer w = {.p = p, .cap = cap, .use = t->use};

	for (unsigned i = 0; i < t->n; i++) {
		const struct cfg_template_part *part = &t->parts[i];

		if (part->is_variable)
			edge_write_variable(&w, part, facts);
		else
			edge_write_literal(&w, (struct span){part->text, part->n});
	}
	return w.n;
}

/* RFC 9110 section 5.5: what must not be in a value becomes a space; none stands at its ends. */
static struct span make_value(char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if ((http_char_class[(uint8_t)p[i]] & HTTP_CHAR_VALUE) == 0)
			p[i] = ' ';
	}
	return http_trim((struct span){p, n});
}

/* A text of nothing but literals: what "{{" stands for, in one piece. */
static struct span read_literal(const struct edge_template *t, const char *text)
{
	size_t cap = 3 * strlen(text) + 1;
	struct edge_writer w = {.p = xmalloc(cap), .cap = cap, .use = t->use};
	struct cfg_template_part part;

	while (cfg_template_next(&text, &part))
		edge_write_literal(&w, (struct span){part.text, part.n});
	CHECK(w.n < cap);
	return (struct span){w.p, w.n};
}

struct edge_template *edge_template_create(const char *text, enum edge_text_use use)
{
	bool has_variables;
	unsigned n = count_parts(text, &has_variables);
	struct edge_template *t;

	if (!has_variables)
		n = 0;
	t = xcalloc(1, sizeof(*t) + n * sizeof(t->parts[0]));
	t->use = use;
	if (!has_variables)
		t->literal = read_literal(t, text);
	while (t->n < n)
		CHECK(cfg_template_next(&text, &t->parts[t->n++]));
	return t;
}

void edge_template_destroy(struct edge_template **tp)
{
	struct edge_template *t = TAKE(tp);

	if (!t)
		return;
	free((char *)t->literal.p);
	free(t);
}

bool edge_template_has_variables(const struct edge_template *t)
{
	return t->n > 0;
}

bool edge_template_expand(const struct edge_template *t, const struct edge_facts *facts,
			  struct arena *arena, struct span *out)
{
	char quick[QUICK], *text;
	size_t n;

	if (t->n == 0) {
		*out = t->literal;
		return true;
	}
	n = write_parts(t, facts, quick, sizeof(quick));
	if (n > EDGE_TEMPLATE_MAX)
		return false;
	text = arena_alloc(arena, n);
	if (!text)
		return false;
	if (n <= sizeof(quick))
		memcpy(text, quick, n);
	else
		CHECK(write_parts(t, facts, text, n) == n);
	*out = t->use == EDGE_TEXT_FIELD ? make_value(text, n) : (struct span){text, n};
	return true;
}
