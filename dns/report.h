/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the control socket tells about zones, edges and answers, as JSON. Control loop only.
 */
#pragma once

#include <jansson.h>

struct dns_answerer;
struct dns_view;

/* Adds "zones", "edges", "geo", "steering" and "steered" of the view. */
void dns_report_view(const struct dns_view *view, json_t *status);

/* "explain NAME TYPE CLIENT": the answer that the client (an address or a prefix) is given, made by
 * dns_handle() itself, and what led to it. {"error"} when an argument is not what it should be. */
json_t *dns_report_explain(const struct dns_view *view, struct dns_answerer *answerer,
			   const char *name, const char *type, const char *client);
