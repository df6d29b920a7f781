/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Says what our HTTP/1.1 parser makes of messages, for comparison with other parsers. Each line of
 * standard input is "request HEX", "response HEX" or "response-to-head HEX"; each line of output a
 * JSON object, bytes as hexadecimal digits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "core/http/chars.h"
#include "tests/support/h1_run.h"

static void print_hex(struct span s)
{
	putchar('"');
	for (size_t i = 0; i < s.n; i++)
		printf("%02x", (unsigned char)s.p[i]);
	putchar('"');
}

static void print_member(const char *name, struct span s)
{
	printf(", \"%s\": ", name);
	print_hex(s);
}

static void print_fields(const char *name, const struct http_fields *fields)
{
	printf(", \"%s\": [", name);
	for (unsigned i = 0; i < fields->n; i++) {
		fputs(i > 0 ? ", [" : "[", stdout);
		print_hex(fields->v[i].name);
		fputs(", ", stdout);
		print_hex(fields->v[i].value);
		putchar(']');
	}
	putchar(']');
}

static void print_run(const struct h1_run *run)
{
	static const char *const verdicts[] = {
	    [H1_OK] = "ok", [H1_MORE] = "more", [H1_BAD] = "bad"};
	const struct http_head *head = &run->head;

	printf("{\"verdict\": \"%s\", \"consumed\": %zu", verdicts[run->result], run->consumed);
	if (run->result == H1_BAD)
		printf(", \"status\": %d, \"why\": \"%s\"",
		       run->head_done ? 400 : run->parser.status,
		       run->head_done ? run->body.why : run->parser.why);
	if (run->result == H1_OK) {
		if (run->parser.request) {
			print_member("method", head->method);
			print_member("target", head->target);
			print_member("authority", head->authority);
		} else {
			printf(", \"code\": %d", head->status);
			print_member("reason", head->reason_phrase);
		}
		printf(", \"keep_alive\": %s", head->keep_alive ? "true" : "false");
		print_fields("fields", &head->fields);
		print_member("content", (struct span){run->data, run->data_len});
		print_fields("trailers", &run->body.trailers);
	}
	puts("}");
}

static bool run_line(const char *line)
{
	static const struct {
		const char *name;
		enum h1_run_kind kind;
	} kinds[] = {
	    {"request ", H1_RUN_REQUEST},
	    {"response ", H1_RUN_RESPONSE},
	    {"response-to-head ", H1_RUN_RESPONSE_TO_HEAD},
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t n = strlen(kinds[i].name), len = 0;
		struct h1_run_input in = {.kind = kinds[i].kind,
					  .limits = &h1_run_limits,
					  .arena_cap = 1 << 16,
					  .step = 1};
		struct h1_run run;
		char *wire;

		if (strncmp(line, kinds[i].name, n) != 0)
			continue;
		line += n;
		wire = xmalloc(strlen(line) + 1);
		for (; http_hex_value(line[0]) >= 0 && http_hex_value(line[1]) >= 0; line += 2)
			wire[len++] = http_hex_value(line[0]) << 4 | http_hex_value(line[1]);
		in.wire = wire;
		in.len = in.first = len;
		h1_run(&run, &in);
		print_run(&run);
		h1_run_fini(&run);
		free(wire);
		return *line == '\n';
	}
	return false;
}

int main(void)
{
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, stdin) > 0) {
		if (!run_line(line)) {
			fprintf(stderr, "h1_cases: malformed line: %s", line);
			free(line);
			return 1;
		}
	}
	free(line);
	return 0;
}
