/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The values of the variables that texts of the configuration may have (config/types/template.h),
 * by what is known of a request. What is not known is empty. The exchange's loop.
 */
#pragma once

#include "config/types/template.h"
#include "core/http/message.h"

struct edge_facts;

/* What a text becomes, and so what must not get into it by a value that strangers choose. */
enum edge_text_use {
	EDGE_TEXT_PLAIN,  /* a log line: values as they are */
	EDGE_TEXT_KEY,    /* what requests are told apart by: a parameter is decoded, so that
			   * another spelling of it is not another key */
	EDGE_TEXT_FIELD,  /* the value of a field: no control characters, no spaces at its ends */
	EDGE_TEXT_TARGET, /* a URL, or a part of one: what does not belong there is
			   * percent-encoded, and so is what would divide it in a text that came by
			   * a field, a cookie or a parameter, but for slashes; after a "?" also
			   * what would make another parameter of it */
};

/* Where a text is written to. What goes beyond `cap` is counted only. */
struct edge_writer {
	char *p;
	size_t cap;
	size_t n; /* of the whole text */
	enum edge_text_use use;
	bool in_query; /* a target has had its "?" */
};

/* As the operator wrote it. */
void edge_write_literal(struct edge_writer *w, struct span text);
/* A path in normal form, or a piece of one. */
void edge_write_path(struct edge_writer *w, struct span path);
/* Of one of {client_cert.NAME}. */
struct span edge_client_cert_value(enum cfg_variable variable, const struct edge_facts *facts);
void edge_write_variable(struct edge_writer *w, const struct cfg_template_part *part,
			 const struct edge_facts *facts);
