/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The rows of a check. Edges and servers are checked alike; what differs are defaults, where they
 * come from, and what the kinds mean: those of a server start from how requests go to it. Included
 * by the tables of the two only.
 */
#pragma once

#include "config/options/rows.h"

/* `check_kinds` are the including table's: words in the order of enum cfg_check_kind. */
#define BY_KINDS(kinds) WHEN("kind", kinds)
#define KIND(name) (1U << CFG_CHECK_##name)
#define BY_HTTP BY_KINDS(KIND(HTTP) | KIND(HTTPS) | KIND(H2))
#define BY_TLS_KINDS (KIND(HTTPS) | KIND(H2) | KIND(TLS))
/* `grpc_`: KIND(GRPC) where there is one, else 0; `by_`: the kinds that verify is for. */
#define CHECK_ROWS(kind_, kinds_, port_, host_, path_, status_, verify_, verifies_, by_, fast_,    \
		   fall_, grpc_)                                                                   \
	CHOICE("kind", AT(cfg_check, kind), kind_, check_kinds, kinds_),                           \
	    {.key = "port",                                                                        \
	     .type = &cfg_type_port,                                                               \
	     AT(cfg_check, port),                                                                  \
	     .fallback = "0",                                                                      \
	     RANGE(0, 65535),                                                                      \
	     .prose = port_},                                                                      \
	    {.key = "host",                                                                        \
	     .type = &cfg_type_host,                                                               \
	     AT(cfg_check, host),                                                                  \
	     .fallback = "",                                                                       \
	     BY_KINDS(KIND(HTTP) | BY_TLS_KINDS | (grpc_)),                                        \
	     .prose = host_},                                                                      \
	    {.key = "verify",                                                                      \
	     .type = &cfg_type_choice,                                                             \
	     AT(cfg_check, verify),                                                                \
	     .fallback = verify_,                                                                  \
	     .choices = cfg_check_verifies,                                                        \
	     BY_KINDS(by_),                                                                        \
	     .prose = verifies_},                                                                  \
	    {.key = "path",                                                                        \
	     .type = &cfg_type_url_path,                                                           \
	     AT(cfg_check, path),                                                                  \
	     .fallback = path_,                                                                    \
	     BY_HTTP,                                                                              \
	     .prose = "What is asked for."},                                                       \
	    {.key = "method",                                                                      \
	     .type = &cfg_type_choice,                                                             \
	     AT(cfg_check, method),                                                                \
	     .fallback = "HEAD",                                                                   \
	     .choices = cfg_check_methods,                                                         \
	     BY_HTTP,                                                                              \
	     .prose = "How it is asked for; by GET instead of HEAD when content or content_regex " \
		      "is said. Where HEAD does not get such a status, GET is asked "              \
		      "at once and decides, and if that gets one it is asked from then on. Of "    \
		      "the content that is not looked at 1 MiB is read. A POST has no content."},  \
	    {.key = "status",                                                                      \
	     .shape = CFG_VALUES,                                                                  \
	     .type = &cfg_type_status,                                                             \
	     AT(cfg_check, statuses),                                                              \
	     .fallback = status_,                                                                  \
	     BY_HTTP,                                                                              \
	     .prose = "Statuses of a response that count as a success."},                          \
	    TIMEOUT("interval", AT(cfg_check, interval), "5s",                                     \
		    "From the start of one check to the start of the next."),                      \
	    TIMEOUT("fast_interval", AT(cfg_check, fast_interval), fast_,                          \
		    "The same after a check that has contradicted what was known, until it is "    \
		    "known again; never more than interval."),                                     \
	    TIMEOUT("timeout", AT(cfg_check, timeout), "2s",                                       \
		    "For one check, from connecting to the status line, or to the end of the "     \
		    "content where that is looked at; not more than the interval."),               \
	    COUNT("rise", AT(cfg_check, rise), "2", 1, 100,                                        \
		  "Successes in a row that make it up."),                                          \
	    COUNT("fall", AT(cfg_check, fall), fall_, 1, 100,                                      \
		  "Failures in a row that make it down.")
