/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A file is kept as its text, in which each name and each hash ends with a NUL, and the list of
 * both in the order of the names.
 */
#include "edge/auth/passwords.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/file.h"
#include "edge/auth/password.h"

/* Ten thousand names. */
#define FILE_MAX (1024 * 1024)

struct entry {
	const char *name, *hash;
};

/* What one auth.basic asks for. */
struct set {
	const char *path;
	struct file text;
	struct entry *entries; /* by name */
	unsigned n_entries;
	const char *costliest; /* of the hashes; NULL: there are none */
	char *challenge;
};

struct edge_passwords {
	struct set *sets; /* by cfg_auth_basic.id; those of others are empty */
	unsigned n_sets;
};

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

/* Without white space at its end; NUL-terminated. */
static char *next_line(char **rest, char *end)
{
	char *line = *rest, *newline, *last;

	if (line >= end)
		return NULL;
	newline = memchr(line, '\n', (size_t)(end - line));
	last = newline ? newline : end;
	*rest = last + 1;
	while (last > line && strchr(" \t\r", last[-1]))
		last--;
	*last = '\0';
	return line;
}

static void add(struct set *set, char *line, unsigned number, const struct cfg_auth_basic *basic,
		struct diag *diag)
{
	char *hash = strchr(line, ':'), *more;
	const char *fault;

	if (*line == '\0' || *line == '#')
		return;
	if (!hash || hash == line) {
		diag_add(diag, basic->place, "%s, line %u: NAME:HASH was expected", set->path,
			 number);
		return;
	}
	*hash++ = '\0';
	/* Some tools write a comment after another colon. */
	more = strchr(hash, ':');
	if (more)
		*more = '\0';
	fault = edge_password_fault(hash);
	if (fault) {
		diag_add(diag, basic->place, "%s, line %u: the hash of %s %s", set->path, number,
			 line, fault);
		return;
	}
	set->entries[set->n_entries++] = (struct entry){line, hash};
	if (!set->costliest || edge_password_cost(hash) > edge_password_cost(set->costliest))
		set->costliest = hash;
}

static unsigned count_lines(const struct file *text)
{
	unsigned n = 1;

	for (size_t i = 0; i < text->len; i++)
		n += text->data[i] == '\n';
	return n;
}

static void load_entries(struct set *set, const struct cfg_auth_basic *basic, struct diag *diag)
{
	char *rest = set->text.data, *end = set->text.data + set->text.len, *line;
	unsigned number = 0;

	set->entries = xcalloc(count_lines(&set->text), sizeof(*set->entries));
	while ((line = next_line(&rest, end)))
		add(set, line, ++number, basic, diag);
	qsort(set->entries, set->n_entries, sizeof(*set->entries), compare);
	for (unsigned i = 1; i < set->n_entries; i++) {
		if (compare(&set->entries[i - 1], &set->entries[i]) == 0)
			diag_add(diag, basic->place, "%s: %s is there twice", set->path,
				 set->entries[i].name);
	}
}

/* RFC 7617 section 2: names and passwords are UTF-8, which is said. */
static char *challenge_of(const char *realm)
{
	char *text = xmalloc(2 * strlen(realm) + 64), *p = text;

	p = stpcpy(p, "Basic realm=\"");
	for (; *realm; realm++) {
		if (*realm == '"' || *realm == '\\')
			*p++ = '\\';
		*p++ = *realm;
	}
	strcpy(p, "\", charset=\"UTF-8\"");
	return text;
}

static void load_set(struct set *set, const struct cfg_auth_basic *basic, struct diag *diag)
{
	char *error;

	set->path = basic->file;
	set->challenge = challenge_of(basic->realm);
	error = file_read(&set->text, basic->file, FILE_MAX);
	if (error) {
		diag_add(diag, basic->place, "%s %s", basic->file, error);
		free(error);
		return;
	}
	load_entries(set, basic, diag);
}

static const struct cfg_auth_basic *basic_of(const struct cfg_route *route)
{
	return route->terms.auth.n_basic > 0 ? route->terms.auth.basic : NULL;
}

static unsigned count_sets(const struct cfg_fleet *fleet)
{
	unsigned n = 0;

	for (unsigned i = 0; i < fleet->n_sites; i++) {
		for (unsigned r = 0; r < fleet->sites[i].n_routes; r++)
			n += fleet->sites[i].routes[r].terms.auth.n_basic;
	}
	return n;
}

struct edge_passwords *edge_passwords_load(const struct cfg_fleet *fleet,
					   const struct cfg_edge *self, struct diag *diag)
{
	struct edge_passwords *passwords = xcalloc(1, sizeof(*passwords));
	unsigned before = diag_count(diag);

	passwords->n_sets = count_sets(fleet);
	passwords->sets = xcalloc(passwords->n_sets, sizeof(*passwords->sets));
	for (unsigned i = 0; i < fleet->n_sites; i++) {
		const struct cfg_site *site = &fleet->sites[i];

		if (self && !cfg_site_is_served_by(site, self))
			continue;
		for (unsigned r = 0; r < site->n_routes; r++) {
			const struct cfg_auth_basic *basic = basic_of(&site->routes[r]);

			if (basic)
				load_set(&passwords->sets[basic->id], basic, diag);
		}
	}
	if (diag_count(diag) != before)
		edge_passwords_destroy(&passwords);
	return passwords;
}

void edge_passwords_destroy(struct edge_passwords **passwordsp)
{
	struct edge_passwords *passwords = TAKE(passwordsp);

	if (!passwords)
		return;
	for (unsigned i = 0; i < passwords->n_sets; i++) {
		file_wipe(&passwords->sets[i].text);
		free(passwords->sets[i].entries);
		free(passwords->sets[i].challenge);
	}
	free(passwords->sets);
	free(passwords);
}

static int compare_name(const void *name, const void *entry)
{
	const struct span *a = name;
	struct span b = span_of(((const struct entry *)entry)->name);
	int order = memcmp(a->p, b.p, MIN(a->n, b.n));

	return order != 0 ? order : (a->n > b.n) - (a->n < b.n);
}

struct edge_password_check edge_passwords_find(const struct edge_passwords *passwords,
					       const struct cfg_auth_basic *basic, struct span name)
{
	const struct set *set = &passwords->sets[basic->id];
	struct edge_password_check check = {.hash = set->costliest};
	const struct entry *found = NULL;

	if (set->n_entries > 0)
		found = bsearch(&name, set->entries, set->n_entries, sizeof(*set->entries),
				compare_name);
	if (!found)
		return check;
	check.hash = found->hash;
	check.known = true;
	if (edge_password_cost(found->hash) < edge_password_cost(set->costliest))
		check.decoy = set->costliest;
	return check;
}

struct span edge_passwords_challenge(const struct edge_passwords *passwords,
				     const struct cfg_auth_basic *basic)
{
	return span_of(passwords->sets[basic->id].challenge);
}
