/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the tables of options are written with. Included by them only.
 */
#pragma once

#include "config/fleet.h"
#include "config/options/options.h"
#include "config/types/types.h"
#include "core/base/check.h"

#define MS INT64_C(1000000)
#define SECOND (1000 * MS)
#define DAY (86400 * SECOND)
#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define TIB (MIB * MIB)

/* The generic code sees lists as struct cfg_array, and takes a thing's name or a pair's key to be
 * its first member. */
#define IS_ARRAY(type, member)                                                                     \
	_Static_assert(offsetof(struct type, n_##member) ==                                        \
			   offsetof(struct type, member) + offsetof(struct cfg_array, n),          \
		       #type "." #member " is not a struct cfg_array")
#define COMES_FIRST(type, member)                                                                  \
	_Static_assert(offsetof(struct type, member) == 0, #type "." #member " is not first")

#define AT(struct_name, member) .offset = offsetof(struct struct_name, member)
#define OF(struct_name)                                                                            \
	.size = sizeof(struct struct_name), .place = offsetof(struct struct_name, place)
#define RANGE(low, high) .min = (low), .max = (high)
#define WHEN(choice_, when_) .choice = choice_, .when = when_
#define WHEN_ON(boolean) WHEN(boolean, 1U << true)
#define END                                                                                        \
	{                                                                                          \
		.key = NULL                                                                        \
	}

/* Of the struct around it, unless `at` says more. */
#define SECTION(key_, prose_, children_)                                                           \
	{                                                                                          \
		.key = key_, .shape = CFG_SECTION, .prose = prose_, .children = children_          \
	}
#define SECTION_AT(key_, at, prose_, children_)                                                    \
	{                                                                                          \
		.key = key_, .shape = CFG_SECTION, at, .prose = prose_, .children = children_      \
	}
#define TIMEOUT(key_, at, fallback_, prose_)                                                       \
	{                                                                                          \
		.key = key_, .type = &cfg_type_duration, at, .fallback = fallback_,                \
		RANGE(MS, DAY), .prose = prose_                                                    \
	}
#define COUNT(key_, at, fallback_, low, high, prose_)                                              \
	{                                                                                          \
		.key = key_, .type = &cfg_type_uint, at, .fallback = fallback_, RANGE(low, high),  \
		.prose = prose_                                                                    \
	}
#define BYTES(key_, at, fallback_, low, high, prose_)                                              \
	{                                                                                          \
		.key = key_, .type = &cfg_type_size, at, .fallback = fallback_, RANGE(low, high),  \
		.prose = prose_                                                                    \
	}
#define RATE(key_, at, fallback_, prose_)                                                          \
	{                                                                                          \
		.key = key_, .type = &cfg_type_rate, at, .fallback = fallback_, .prose = prose_    \
	}
#define ACCESS(at, prose_)                                                                         \
	{                                                                                          \
		.key = "access", .shape = CFG_ITEMS, at, OF(cfg_access), .prose = prose_,          \
		.children = cfg_access_options                                                     \
	}
#define LIMITS(at, prose_)                                                                         \
	{                                                                                          \
		.key = "limits", .shape = CFG_ITEMS, at, OF(cfg_limit), .prose = prose_,           \
		.children = cfg_limit_options                                                      \
	}
#define CHOICE(key_, at, fallback_, choices_, prose_)                                              \
	{                                                                                          \
		.key = key_, .type = &cfg_type_choice, at, .fallback = fallback_,                  \
		.choices = choices_, .prose = prose_                                               \
	}

/* Edges and servers are checked alike; what differs are defaults, where they come from, and what
 * the kinds mean: those of a server start from how requests go to it. */
#define BY_HTTP WHEN("kind", 1U << CFG_CHECK_HTTP | 1U << CFG_CHECK_HTTPS)
#define CHECK_ROWS(kind_, kinds_, port_, host_, path_, status_, fall_)                             \
	CHOICE("kind", AT(cfg_check, kind), kind_, cfg_check_kinds, kinds_),                       \
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
	     BY_HTTP,                                                                              \
	     .prose = host_},                                                                      \
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
	     .prose = "How it is asked for. Where HEAD does not get such a status, GET is asked "  \
		      "at once and decides, and if that gets one it is asked from then on. Of "    \
		      "the content that GET gets, 1 MiB is read."},                                \
	    {.key = "status",                                                                      \
	     .type = &cfg_type_status,                                                             \
	     AT(cfg_check, status),                                                                \
	     .fallback = status_,                                                                  \
	     BY_HTTP,                                                                              \
	     .prose = "Status of a response that counts as a success."},                           \
	    TIMEOUT("interval", AT(cfg_check, interval), "5s",                                     \
		    "From the start of one check to the start of the next."),                      \
	    TIMEOUT("timeout", AT(cfg_check, timeout), "2s",                                       \
		    "For one check, from connecting to the status line; not more than the "        \
		    "interval."),                                                                  \
	    COUNT("rise", AT(cfg_check, rise), "2", 1, 100,                                        \
		  "Successes in a row that make it up."),                                          \
	    COUNT("fall", AT(cfg_check, fall), fall_, 1, 100,                                      \
		  "Failures in a row that make it down.")
