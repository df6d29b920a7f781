/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a probe asks, and what its answer is judged by: status, content, and what gRPC says of
 * health. Pure: no I/O, no clock; any thread that has it to itself.
 */
#pragma once

#include "core/http/message.h"
#include "origin-link/health/check.h"
#include "origin-link/health/health.h"

struct regex;

struct probe_question {
	struct cfg_check check; /* its strings are its own */
	char *authority;        /* the Host field, with its port if that is an unusual one */
	struct regex *regex;    /* check.regex; NULL: none */
};

struct probe_question *probe_question_create(const struct cfg_check *check, const char *authority);
void probe_question_destroy(struct probe_question **question);
/* Content decides too, not the status alone. */
bool probe_question_is_of_content(const struct probe_question *q);
/* That is asked with first. */
const char *probe_question_method(const struct probe_question *q);

/* The check says it itself. */
bool probe_question_has_field(const struct probe_question *q, const char *name);

/* As much of the content is looked at. */
#define PROBE_CONTENT_MAX (64 * 1024)

struct probe_answer {
	const struct probe_question *question;
	int status; /* 0: none yet */
	char *content;
	size_t n;
};

void probe_answer_init(struct probe_answer *a, const struct probe_question *q);
void probe_answer_fini(struct probe_answer *a);
/* The status of the final response. True when nothing more need come: see probe_answer_judge(). */
bool probe_answer_status(struct probe_answer *a, int status);
/* Some of the content. The same. */
bool probe_answer_content(struct probe_answer *a, struct span content);
/* By all that is there: PROBE_OK, PROBE_WRONG_STATUS or PROBE_WRONG_CONTENT. */
enum probe_cause probe_answer_judge(const struct probe_answer *a);

/* The gRPC health protocol: a request for grpc.health.v1.Health/Check about a service, framed as
 * gRPC does it, malloc'd; and the verdict on what has come (the framed HealthCheckResponse), with
 * the grpc-status that ended it, or -1: PROBE_OK, PROBE_NOT_SERVING, PROBE_WRONG_STATUS or
 * PROBE_BAD_RESPONSE. */
#define PROBE_GRPC_PATH "/grpc.health.v1.Health/Check"
char *probe_grpc_request(const char *service, size_t *n);
enum probe_cause probe_grpc_judge(const struct probe_answer *a, int grpc_status);
