/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Copies of checks, and how they are compared.
 */
#include "origin-link/health/check.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

static char *copy_text(const char *text)
{
	return text != NULL ? xstrdup(text) : NULL;
}

void probe_check_init(struct cfg_check *copy, const struct cfg_check *check)
{
	*copy = *check;
	copy->host = copy_text(check->host);
	copy->path = copy_text(check->path);
	copy->service = copy_text(check->service);
	copy->content = copy_text(check->content);
	copy->regex = copy_text(check->regex);
	copy->fields = xcalloc(check->n_fields + 1, sizeof(*copy->fields));
	for (unsigned i = 0; i < check->n_fields; i++) {
		copy->fields[i].name = xstrdup(check->fields[i].name);
		copy->fields[i].value = xstrdup(check->fields[i].value);
	}
	copy->statuses.v = xcalloc(check->statuses.n + 1, sizeof(*copy->statuses.v));
	for (unsigned i = 0; i < check->statuses.n; i++)
		copy->statuses.v[i] = check->statuses.v[i];
}

void probe_check_fini(struct cfg_check *copy)
{
	for (unsigned i = 0; i < copy->n_fields; i++) {
		free((char *)copy->fields[i].name);
		free((char *)copy->fields[i].value);
	}
	free(copy->fields);
	free(copy->statuses.v);
	free((char *)copy->host);
	free((char *)copy->path);
	free((char *)copy->service);
	free((char *)copy->content);
	free((char *)copy->regex);
}

/* NULL is a text of its own. */
static bool text_equal(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool fields_equal(const struct cfg_check *a, const struct cfg_check *b)
{
	bool equal = a->n_fields == b->n_fields;

	for (unsigned i = 0; equal && i < a->n_fields; i++)
		equal = strcmp(a->fields[i].name, b->fields[i].name) == 0 &&
			strcmp(a->fields[i].value, b->fields[i].value) == 0;
	return equal;
}

static bool statuses_equal(const struct cfg_check *a, const struct cfg_check *b)
{
	bool equal = a->statuses.n == b->statuses.n;

	for (unsigned i = 0; equal && i < a->statuses.n; i++)
		equal = a->statuses.v[i].low == b->statuses.v[i].low &&
			a->statuses.v[i].high == b->statuses.v[i].high;
	return equal;
}

bool probe_check_asks_same(const struct cfg_check *a, const struct cfg_check *b)
{
	return a->kind == b->kind && a->port == b->port && a->method == b->method &&
	       a->verify == b->verify && text_equal(a->host, b->host) &&
	       text_equal(a->path, b->path) && text_equal(a->service, b->service) &&
	       text_equal(a->content, b->content) && text_equal(a->regex, b->regex) &&
	       fields_equal(a, b) && statuses_equal(a, b);
}

bool probe_check_equal(const struct cfg_check *a, const struct cfg_check *b)
{
	return probe_check_asks_same(a, b) && a->interval.ns == b->interval.ns &&
	       a->fast_interval.ns == b->fast_interval.ns && a->timeout.ns == b->timeout.ns &&
	       a->rise == b->rise && a->fall == b->fall;
}
