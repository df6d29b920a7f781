/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See master.h. The text of a file is handed to libzscanner in pieces, cut where a directive
 * stands; directives are handed over one by one, in the words that it understands.
 */
#include "dns/zone/master.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <libknot/consts.h>
#include <libknot/descriptor.h>
#include <libknot/dname.h>
#include <libknot/wire.h>

#include "core/base/check.h"
#include "dns/zone/generate.h"
#include "dns/zone/name.h"
#include "dns/zone/sources.h"

/* Deep enough for people. */
#define INCLUDE_DEPTH 8

/* For records before any that says its TTL; the same as Knot DNS takes. */
#define DEFAULT_TTL 3600

/* RFC 2181 section 8. */
#define TTL_MAX 0x7fffffffu

/* What libzscanner is told to give records that are written without a TTL, so that they are known:
 * above TTL_MAX, and nothing that anybody writes. */
#define TTL_NOT_WRITTEN 0xf0e1d2c3u

/* A file that is being read. */
struct master_file {
	struct master_file *outer;
	struct file file;
	unsigned index; /* in the sources */
	zs_scanner_t *scanner;
};

static struct cfg_place place_at(const struct dns_master *m, unsigned line)
{
	return (struct cfg_place){.file = m->sources->v[m->open->index].path, .line = line};
}

static unsigned line_of(const struct dns_master *m)
{
	return m->generated_at != 0 ? m->generated_at : (unsigned)m->open->scanner->line_counter;
}

static void read_file(struct dns_master *m, const char *path, const char *origin,
		      struct cfg_place from);

/* RFC 2308 section 4 and RFC 1035 section 5.1: $TTL, or what the last record said. A SOA that is
 * the first and has none gives its minimum to all, as BIND has it. */
static uint32_t ttl_of(struct dns_master *m, const zs_scanner_t *s)
{
	if (s->r_ttl != TTL_NOT_WRITTEN) {
		m->ttl = s->r_ttl;
		m->ttl_known = true;
	} else if (!m->ttl_known && s->r_type == KNOT_RRTYPE_SOA && s->r_data_length >= 4) {
		m->open->scanner->default_ttl =
		    knot_wire_read_u32(s->r_data + s->r_data_length - 4);
		return m->open->scanner->default_ttl;
	}
	return m->ttl_known ? m->ttl : DEFAULT_TTL;
}

static void take_record(struct dns_master *m, const zs_scanner_t *s)
{
	unsigned line = line_of(m);
	uint32_t ttl = ttl_of(m, s);

	if (ttl > TTL_MAX)
		diag_add(m->diag, place_at(m, line), "TTL %u: the most is %u (RFC 2181 section 8)",
			 ttl, TTL_MAX);
	else if (!m->take(m->arg, s, ttl, m->open->index, line))
		m->over = true;
}

/* The scanner stands behind an $INCLUDE. */
static void take_include(struct dns_master *m, zs_scanner_t *s)
{
	/* Its buffers are used again. */
	char *path = xstrdup(s->include_filename), *origin = xstrdup((const char *)s->buffer);
	struct cfg_place place = place_at(m, line_of(m));

	if (m->depth == INCLUDE_DEPTH)
		diag_add(m->diag, place, "includes are nested too deep");
	else if (m->sources->n == DNS_ZONE_FILES_MAX)
		diag_add(m->diag, place, "more than %d files are included", DNS_ZONE_FILES_MAX);
	else
		read_file(m, path, origin, place);
	free(origin);
	free(path);
}

/* False: the scanner cannot go on with this file. `text` begins with a line. */
static bool scan(struct dns_master *m, const char *text, size_t len)
{
	zs_scanner_t *s = m->open->scanner;
	int top = s->top;

	if (len == 0 || m->over)
		return !m->over;
	if (zs_set_input_string(s, text, len) != 0)
		return false;
	while (zs_parse_record(s) == 0 && s->state != ZS_STATE_EOF && s->state != ZS_STATE_STOP) {
		if (s->state == ZS_STATE_DATA) {
			take_record(m, s);
		} else if (s->state == ZS_STATE_INCLUDE) {
			take_include(m, s);
			s->error.fatal = false;
			/* That of Debian 12, 3.2.6, leaves one more place of its stack taken after
			 * every $INCLUDE, and writes past its end without a look. */
			s->top = top;
		} else if (s->state == ZS_STATE_ERROR) {
			diag_add(m->diag, place_at(m, line_of(m)), "%s",
				 zs_strerror(s->error.code));
			if (s->error.fatal)
				return false;
		}
		if (m->over)
			return false;
	}
	return true;
}

/* Where a text stands: inside of quotes or parentheses no line begins anew. */
struct lexer {
	bool quoted;
	unsigned depth;
};

static void lex(struct lexer *x, const char *at, const char *end)
{
	while (at < end) {
		switch (*at++) {
		case '\\':
			at += at < end && *at != '\n';
			break;
		case '"':
			x->quoted = !x->quoted;
			break;
		case ';':
			if (!x->quoted) {
				const char *newline = memchr(at, '\n', (size_t)(end - at));

				at = newline == NULL ? end : newline;
			}
			break;
		case '(':
			x->depth += !x->quoted;
			break;
		case ')':
			x->depth -= !x->quoted && x->depth > 0;
			break;
		case '\n': /* a quotation that nobody closed; libzscanner says so */
			x->quoted = x->quoted && x->depth > 0;
			break;
		}
	}
}

/* The next line with a directive, or `end`. `at` is where a line begins. */
static const char *find_directive(const char *at, const char *end)
{
	struct lexer x = {0};
	const char *from = at;

	if (at < end && *at == '$')
		return at;
	while ((at = memmem(at, (size_t)(end - at), "\n$", 2)) != NULL) {
		lex(&x, from, ++at);
		from = at;
		if (!x.quoted && x.depth == 0)
			return at;
	}
	return end;
}

static unsigned count_lines(const char *at, const char *end)
{
	unsigned n = 0;

	while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		at++;
		n++;
	}
	return n;
}

/* A word of a directive; quotes stay. */
struct word {
	const char *text;
	size_t len;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct word next_word(const char **at, const char *end)
{
	bool quoted = false;
	const char *p = *at;
	struct word w;

	while (p < end && is_blank(*p))
		p++;
	w.text = p;
	for (; p < end && (quoted || (!is_blank(*p) && *p != ';')); p++) {
		if (*p == '\\' && p + 1 < end)
			p++;
		else if (*p == '"')
			quoted = !quoted;
	}
	w.len = (size_t)(p - w.text);
	*at = p;
	return w;
}

/* Ends with a dot that is not escaped. */
static bool is_absolute(struct word w)
{
	size_t escapes = 0;

	if (w.len == 0 || w.text[w.len - 1] != '.')
		return false;
	while (escapes + 1 < w.len && w.text[w.len - 2 - escapes] == '\\')
		escapes++;
	return escapes % 2 == 0;
}

/* The name in full, malloc'd: libzscanner takes no others in directives. */
static char *in_full(const zs_scanner_t *s, struct word name)
{
	char origin[DNS_NAME_TEXT];

	if (is_absolute(name))
		return xasprintf("%.*s", (int)name.len, name.text);
	dns_name_format(s->zone_origin, origin);
	if (name.len == 1 && name.text[0] == '@')
		return xstrdup(origin);
	return xasprintf("%.*s%s%s", (int)name.len, name.text, strcmp(origin, ".") == 0 ? "" : ".",
			 origin);
}

static bool scan_origin(struct dns_master *m, const char *at, const char *end)
{
	struct word name = next_word(&at, end), more = next_word(&at, end);
	char *full = in_full(m->open->scanner, name);
	char *line = xasprintf("$ORIGIN %s %.*s\n", full, (int)more.len, more.text);
	bool go_on = scan(m, line, strlen(line));

	free(line);
	free(full);
	return go_on;
}

static bool scan_include(struct dns_master *m, const char *at, const char *end)
{
	struct word path = next_word(&at, end), name = next_word(&at, end),
		    more = next_word(&at, end);
	char *full = name.len == 0 ? xstrdup("") : in_full(m->open->scanner, name);
	char *line = xasprintf("$INCLUDE %.*s %s %.*s\n", (int)path.len, path.text, full,
			       (int)more.len, more.text);
	bool go_on = scan(m, line, strlen(line));

	free(line);
	free(full);
	return go_on;
}

static bool scan_ttl(struct dns_master *m, const char *line, const char *end, unsigned number)
{
	zs_scanner_t *s = m->open->scanner;
	bool go_on = scan(m, line, (size_t)(end - line));

	if (go_on && s->default_ttl > TTL_MAX)
		diag_add(m->diag, place_at(m, number),
			 "$TTL %u: the most is %u (RFC 2181 section 8)", s->default_ttl, TTL_MAX);
	return go_on;
}

/* Counts what is generated as text of the zone. Ends with the first one that is complained about.
 */
static bool scan_generated(struct dns_master *m, const struct dns_generate *g, unsigned number)
{
	struct cfg_place place = place_at(m, number);
	unsigned before = diag_count(m->diag);
	char line[DNS_GENERATE_LINE];
	bool go_on = true;

	m->generated_at = number;
	/* What is wrong with one is most often wrong with all of them. */
	for (uint64_t i = g->start; i <= g->stop && go_on && diag_count(m->diag) == before;
	     i += g->step) {
		size_t len = dns_generate_line(g, (uint32_t)i, line);

		if (len == 0) {
			diag_add(m->diag, place,
				 "$GENERATE: a format is wrong, or what it makes too long");
			break;
		}
		if (len > m->bytes_left) {
			diag_add(m->diag, place,
				 "the zone is larger than %zu MiB with all that is "
				 "included and generated",
				 DNS_ZONE_BYTES_MAX >> 20);
			m->over = true;
			break;
		}
		m->bytes_left -= len;
		go_on = scan(m, line, len);
	}
	m->generated_at = 0;
	return go_on;
}

static bool scan_generate(struct dns_master *m, const char *at, const char *end, unsigned number)
{
	struct dns_generate g;
	const char *error = dns_generate_parse(&g, at, (size_t)(end - at));
	bool go_on = true;

	if (error != NULL)
		diag_add(m->diag, place_at(m, number), "%s", error);
	else
		go_on = scan_generated(m, &g, number);
	dns_generate_fini(&g);
	return go_on;
}

/* The line from its "$" to `end`, behind its newline if it has one. */
static bool scan_directive(struct dns_master *m, const char *line, const char *end, unsigned number)
{
	const char *at = line, *stop = end[-1] == '\n' ? end - 1 : end;
	struct word name = next_word(&at, stop);

	m->open->scanner->line_counter = number;
	if (memchr(line, '\0', (size_t)(end - line)) != NULL) {
		diag_add(m->diag, place_at(m, number), "a directive with an octet of zero");
		return true;
	}
	if (name.len == 7 && strncasecmp(name.text, "$ORIGIN", 7) == 0)
		return scan_origin(m, at, stop);
	if (name.len == 8 && strncasecmp(name.text, "$INCLUDE", 8) == 0)
		return scan_include(m, at, stop);
	if (name.len == 9 && strncasecmp(name.text, "$GENERATE", 9) == 0)
		return scan_generate(m, at, stop, number);
	if (name.len == 4 && strncasecmp(name.text, "$TTL", 4) == 0)
		return scan_ttl(m, line, end, number);
	return scan(m, line, (size_t)(end - line));
}

static void scan_text(struct dns_master *m, const char *at, const char *end)
{
	unsigned line = 1;
	bool go_on = true;

	while (at < end && go_on) {
		const char *directive = find_directive(at, end), *newline;

		m->open->scanner->line_counter = line;
		go_on = scan(m, at, (size_t)(directive - at));
		if (directive == end || !go_on)
			break;
		line += count_lines(at, directive);
		newline = memchr(directive, '\n', (size_t)(end - directive));
		at = newline == NULL ? end : newline + 1;
		go_on = scan_directive(m, directive, at, line++);
	}
}

/* Lines end in CR LF where some editors wrote them. */
static void drop_carriage_returns(struct file *file)
{
	char *to = memchr(file->data, '\r', file->len), *end = file->data + file->len;

	if (to == NULL)
		return;
	for (char *from = to; from < end; from++) {
		if (*from != '\r' || (from + 1 < end && from[1] != '\n'))
			*to++ = *from;
	}
	file->len = (size_t)(to - file->data);
}

/* NULL, or a scanner that begins where the including file stands: with its owner and its TTL. It
 * resolves the names of includes, which start from the folder that the file is really in. */
static zs_scanner_t *create_scanner(const struct dns_master *m, const char *origin,
				    const char *folder)
{
	const zs_scanner_t *outer = m->open == NULL ? NULL : m->open->scanner;
	uint32_t ttl = outer == NULL ? TTL_NOT_WRITTEN : outer->default_ttl;
	zs_scanner_t *s = xmalloc(sizeof(*s));

	if (zs_init(s, origin, KNOT_CLASS_IN, ttl) != 0) {
		zs_deinit(s);
		free(s);
		return NULL;
	}
	if (outer != NULL) {
		memcpy(s->r_owner, outer->r_owner, sizeof(s->r_owner));
		s->r_owner_length = outer->r_owner_length;
	}
	free(s->path);
	s->path = xstrdup(folder);
	return s;
}

static bool is_open(const struct dns_master *m, const struct file *file)
{
	for (const struct master_file *f = m->open; f != NULL; f = f->outer) {
		if (f->file.device == file->device && f->file.inode == file->inode)
			return true;
	}
	return false;
}

/* False: it was refused. */
static bool get_file(struct dns_master *m, struct master_file *f, struct cfg_place from)
{
	const char *path = m->sources->v[f->index].path;
	char *error = dns_sources_read(m->sources, f->index, DNS_ZONE_BYTES_MAX, &f->file);
	bool ok = false;

	if (error != NULL) {
		diag_add(m->diag, from, "zone file %s %s", path, error);
	} else if (is_open(m, &f->file)) {
		diag_add(m->diag, from, "zone file %s includes itself", path);
	} else if (f->file.len > m->bytes_left) {
		diag_add(m->diag, from,
			 "zone file %s: the zone is larger than %zu MiB with all that is included "
			 "and generated",
			 path, DNS_ZONE_BYTES_MAX >> 20);
		m->over = true;
	} else {
		m->bytes_left -= f->file.len;
		ok = true;
	}
	free(error);
	return ok;
}

static void read_file(struct dns_master *m, const char *path, const char *origin,
		      struct cfg_place from)
{
	struct master_file f = {.outer = m->open, .index = dns_sources_add(m->sources, path)};

	if (get_file(m, &f, from)) {
		f.scanner = create_scanner(m, origin, m->sources->v[f.index].folder);
		if (f.scanner == NULL)
			diag_add(m->diag, from, "%s cannot be an origin", origin);
	}
	if (f.scanner != NULL) {
		drop_carriage_returns(&f.file);
		m->open = &f;
		m->depth++;
		scan_text(m, f.file.data, f.file.data + f.file.len);
		m->depth--;
		m->open = f.outer;
		/* A $TTL goes on to hold (RFC 2308 section 4); origin and owner are the outer's. */
		if (f.outer != NULL)
			f.outer->scanner->default_ttl = f.scanner->default_ttl;
		zs_deinit(f.scanner);
		free(f.scanner);
	}
	file_wipe(&f.file);
}

void dns_master_read(struct dns_master *m, const char *path, const char *origin,
		     struct cfg_place from)
{
	m->over = false;
	m->bytes_left = DNS_ZONE_BYTES_MAX;
	m->depth = 0;
	m->open = NULL;
	m->ttl_known = false;
	m->generated_at = 0;
	read_file(m, path, origin, from);
}
