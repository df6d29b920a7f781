/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the edge answers itself: redirects, responses and error pages of sites and routes. Constants
 * only.
 */
#include "config/options/rows.h"

COMES_FIRST(cfg_split, origin);

static const char *const errors_of[] = {"edge", "all", NULL};

const struct cfg_option cfg_split_options[] = {
    COUNT("*", AT(cfg_split, weight), NULL, 0, 1000000,
	  "The origin's weight: its share of the requests is that of it in the sum of all. 0 is "
	  "none."),
    END,
};

const struct cfg_option cfg_redirect_options[] = {
    {.key = "to",
     .type = &cfg_type_template,
     AT(cfg_redirect, to),
     .required = true,
     .prose = "Where to: a URL of http or https, or a path that begins with \"/\", with variables "
	      "such as \"https://{host}{target}\". Only {host} and {port} may be in a URL before "
	      "its path; what a variable holds never leads to another host."},
    {.key = "status",
     .type = &cfg_type_uint,
     AT(cfg_redirect, status),
     .fallback = "308",
     RANGE(301, 308),
     .prose = "301, 302, 303, 307 or 308."},
    END,
};

const struct cfg_option cfg_respond_options[] = {
    {.key = "status",
     .type = &cfg_type_uint,
     AT(cfg_respond, status),
     .fallback = "200",
     RANGE(200, 599),
     .prose = "Its status. With 200, a client that has the content already is told so by a 304."},
    CONTENT_ROWS(cfg_respond),
    END,
};

const struct cfg_option cfg_errors_options[] = {
    {.key = "status",
     .shape = CFG_VALUES,
     .type = &cfg_type_status,
     AT(cfg_error_page, statuses),
     .required = true,
     .prose = "The statuses that it is for, from 400 on."},
    CHOICE("of", AT(cfg_error_page, of), "edge", errors_of,
	   "Whose responses have it as their content: those that the edge gives itself, or "
	   "\"all\", those of origins too."),
    CONTENT_ROWS(cfg_error_page),
    END,
};
