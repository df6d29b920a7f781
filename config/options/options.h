/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The tables of all options, a file for each section. Rows stand in the order in which they are
 * filled and printed: what is referred to comes before what refers to it. Constants only.
 */
#pragma once

#include "config/option.h"

/* The top: what a file has. Under it the sections, of structs of the same name. */
extern const struct cfg_option cfg_options[];
extern const struct cfg_option cfg_log_options[], cfg_http_options[], cfg_edge_options[],
    cfg_nameserver_options[], cfg_origin_options[], cfg_origin_timeout_options[],
    cfg_origin_limit_options[], cfg_origin_pool_options[], cfg_origin_health_options[],
    cfg_origin_connection_options[], cfg_origin_breaker_options[], cfg_origin_retries_options[],
    cfg_route_retries_options[], cfg_balance_options[], cfg_site_options[], cfg_zone_options[],
    cfg_geo_options[], cfg_tls_options[];
/* Of a route of a site. */
extern const struct cfg_option cfg_route_options[];
/* Whom http, a site or a route lets in, and how many; what each client may have. */
extern const struct cfg_option cfg_access_options[], cfg_limit_options[], cfg_per_client_options[];
/* Of sites and of routes. */
extern const struct cfg_option cfg_compression_options[];
/* The terms of a route. */
extern const struct cfg_option cfg_auth_options[], cfg_mirror_options[],
    cfg_route_timeout_options[], cfg_route_limit_options[];
/* What the edge answers itself. */
extern const struct cfg_option cfg_split_options[], cfg_redirect_options[], cfg_respond_options[],
    cfg_errors_options[];
/* Of conditions on requests; and on responses, which are on their requests too. */
extern const struct cfg_option cfg_match_options[], cfg_response_match_options[];
/* Of what is changed, by http, sites and routes. */
extern const struct cfg_option cfg_request_fields_options[], cfg_response_fields_options[],
    cfg_rewrite_options[], cfg_cors_options[], cfg_hsts_options[], cfg_request_id_options[],
    cfg_trace_options[];
extern const char *const cfg_securities[], *const cfg_route_securities[];
/* Of checks, which edges and origins have. */
extern const char *const cfg_check_methods[], *const cfg_check_verifies[];
