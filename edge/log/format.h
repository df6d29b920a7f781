/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A line of the access log, in one of its formats: JSON, Apache's combined one, or a text of the
 * operator's with variables. Whatever a client sends, it is one line. Immutable after _create;
 * pure.
 */
#pragma once

#include "edge/log/entry.h"

/* What strangers choose is cut to this many bytes, and a mark says so. */
#define EDGE_LOG_METHOD_MAX 32
#define EDGE_LOG_HOST_MAX 255
#define EDGE_LOG_TARGET_MAX 1024
#define EDGE_LOG_ID_MAX 128
#define EDGE_LOG_FIELD_MAX 512
/* Of names: of the operator's, and of users. */
#define EDGE_LOG_NAME_MAX 64
#define EDGE_LOG_LINE_MAX 16384

struct edge_log_format;
/* `text` is http.access_log.format, and must outlive it. */
struct edge_log_format *edge_log_format_create(const char *text);
void edge_log_format_destroy(struct edge_log_format **format);
/* Returns the length, without a newline; never more than EDGE_LOG_LINE_MAX. */
size_t edge_log_format_write(const struct edge_log_format *format, const struct edge_log_entry *e,
			     char out[EDGE_LOG_LINE_MAX]);
