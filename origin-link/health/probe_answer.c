/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What probes ask and how answers are judged. The texts that are looked for are the operator's, the
 * content is a stranger's: so much of it is kept and no more, and a regular expression that takes
 * too long has not matched.
 */
#include "origin-link/health/probe_answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/check.h"
#include "core/http/regex.h"

/* Questions */

struct probe_question *probe_question_create(const struct cfg_check *check, const char *authority)
{
	struct probe_question *q = xcalloc(1, sizeof(*q));
	char *why;

	probe_check_init(&q->check, check);
	q->authority = xstrdup(authority);
	if (check->regex != NULL) {
		q->regex = regex_compile(check->regex, &why);
		CHECK(q->regex != NULL); /* the configuration has tried it */
	}
	return q;
}

void probe_question_destroy(struct probe_question **qp)
{
	struct probe_question *q = TAKE(qp);

	if (q == NULL)
		return;
	regex_destroy(&q->regex);
	probe_check_fini(&q->check);
	free(q->authority);
	free(q);
}

bool probe_question_is_of_content(const struct probe_question *q)
{
	return q->check.content != NULL || q->regex != NULL || q->check.kind == CFG_CHECK_GRPC;
}

const char *probe_question_method(const struct probe_question *q)
{
	static const char *const names[] = {
	    [CFG_CHECK_HEAD] = "HEAD",
	    [CFG_CHECK_GET] = "GET",
	    [CFG_CHECK_OPTIONS] = "OPTIONS",
	    [CFG_CHECK_POST] = "POST",
	};

	if (q->check.kind == CFG_CHECK_GRPC)
		return "POST";
	if (q->check.method == CFG_CHECK_HEAD && probe_question_is_of_content(q))
		return "GET";
	return names[q->check.method];
}

bool probe_question_has_field(const struct probe_question *q, const char *name)
{
	for (unsigned i = 0; i < q->check.n_fields; i++) {
		if (strcasecmp(q->check.fields[i].name, name) == 0)
			return true;
	}
	return false;
}

/* Answers */

void probe_answer_init(struct probe_answer *a, const struct probe_question *q)
{
	*a = (struct probe_answer){.question = q};
}

void probe_answer_fini(struct probe_answer *a)
{
	free(a->content);
	a->content = NULL;
}

static bool has_good_status(const struct probe_answer *a)
{
	const struct cfg_check *check = &a->question->check;

	if (check->kind == CFG_CHECK_GRPC)
		return a->status == 200;
	for (unsigned i = 0; i < check->statuses.n; i++) {
		if (a->status >= check->statuses.v[i].low && a->status <= check->statuses.v[i].high)
			return true;
	}
	return false;
}

bool probe_answer_status(struct probe_answer *a, int status)
{
	a->status = status;
	return !has_good_status(a) || !probe_question_is_of_content(a->question);
}

bool probe_answer_content(struct probe_answer *a, struct span content)
{
	size_t n = MIN(content.n, PROBE_CONTENT_MAX - a->n);

	if (n > 0) {
		a->content = xreallocarray(a->content, a->n + n, 1);
		memcpy(a->content + a->n, content.p, n);
		a->n += n;
	}
	return a->n == PROBE_CONTENT_MAX;
}

enum probe_cause probe_answer_judge(const struct probe_answer *a)
{
	struct span content = {a->content != NULL ? a->content : "", a->n};
	const struct probe_question *q = a->question;
	const char *text = q->check.content;

	if (!has_good_status(a))
		return PROBE_WRONG_STATUS;
	if (text != NULL && memmem(content.p, content.n, text, strlen(text)) == NULL)
		return PROBE_WRONG_CONTENT;
	if (q->regex != NULL && regex_match(q->regex, content, NULL) != REGEX_YES)
		return PROBE_WRONG_CONTENT;
	return PROBE_OK;
}

/* gRPC: a byte that says whether the message is compressed, its length in four, and the message in
 * the format of protocol buffers. */

#define GRPC_PREFIX 5

/* HealthCheckRequest: field 1, of a length. HealthCheckResponse: field 1, an integer. */
#define TAG_SERVICE 0x0a
#define TAG_STATUS 0x08
#define STATUS_SERVING 1

static size_t write_varint(uint64_t value, unsigned char *out)
{
	size_t n = 0;

	for (; value >= 0x80; value >>= 7)
		out[n++] = (unsigned char)(value | 0x80);
	out[n++] = (unsigned char)value;
	return n;
}

char *probe_grpc_request(const char *service, size_t *n)
{
	size_t len = strlen(service), at = GRPC_PREFIX;
	unsigned char *out = xcalloc(1, GRPC_PREFIX + 11 + len);

	if (len > 0) {
		out[at++] = TAG_SERVICE;
		at += write_varint(len, out + at);
		memcpy(out + at, service, len);
		at += len;
	}
	for (unsigned i = 0; i < 4; i++)
		out[1 + i] = (unsigned char)((at - GRPC_PREFIX) >> (24 - 8 * i));
	*n = at;
	return (char *)out;
}

/* False: it is not whole, or too large. */
static bool read_varint(const unsigned char **p, const unsigned char *end, uint64_t *value)
{
	*value = 0;
	for (unsigned shift = 0; *p < end && shift < 64; shift += 7) {
		unsigned char byte = *(*p)++;

		*value |= (uint64_t)(byte & 0x7f) << shift;
		if ((byte & 0x80) == 0)
			return true;
	}
	return false;
}

/* Skips a field of another number. False: it is not whole, or no field. */
static bool skip_field(const unsigned char **p, const unsigned char *end, unsigned wire_type)
{
	uint64_t n;

	if (wire_type == 0)
		return read_varint(p, end, &n);
	if (wire_type == 1)
		n = 8;
	else if (wire_type == 5)
		n = 4;
	else if (wire_type != 2 || !read_varint(p, end, &n))
		return false;
	if (n > (uint64_t)(end - *p))
		return false;
	*p += n;
	return true;
}

/* False: that is no HealthCheckResponse. A status that is not there is 0, UNKNOWN; of two the last
 * counts. */
static bool read_status(struct span message, uint64_t *status)
{
	const unsigned char *p = (const unsigned char *)message.p, *end = p + message.n;
	uint64_t tag;

	*status = 0;
	while (p < end) {
		if (!read_varint(&p, end, &tag))
			return false;
		if (tag == TAG_STATUS ? !read_varint(&p, end, status)
				      : !skip_field(&p, end, tag & 7))
			return false;
	}
	return true;
}

enum probe_cause probe_grpc_judge(const struct probe_answer *a, int grpc_status)
{
	const unsigned char *p = (const unsigned char *)a->content;
	uint64_t len, status;

	if (!has_good_status(a))
		return PROBE_WRONG_STATUS;
	if (grpc_status > 0)
		return PROBE_WRONG_STATUS;
	if (grpc_status < 0 || a->n < GRPC_PREFIX || p[0] != 0)
		return PROBE_BAD_RESPONSE;
	len = (uint64_t)p[1] << 24 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 8 | p[4];
	if (len != a->n - GRPC_PREFIX ||
	    !read_status((struct span){a->content + GRPC_PREFIX, len}, &status))
		return PROBE_BAD_RESPONSE;
	return status == STATUS_SERVING ? PROBE_OK : PROBE_NOT_SERVING;
}
