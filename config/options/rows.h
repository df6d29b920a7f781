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

/* A text or file that the edge answers with. */
#define CONTENT_ROWS(type_name_)                                                                   \
	{.key = "text",                                                                            \
	 .type = &cfg_type_content,                                                                \
	 AT(type_name_, text),                                                                     \
	 .prose = "Its content; either this or a file."},                                          \
	    {.key = "file",                                                                        \
	     .type = &cfg_type_path,                                                               \
	     AT(type_name_, file),                                                                 \
	     .prose = "The file that is its content, of at most 1 MiB. It is read when the "       \
		      "configuration is loaded."},                                                 \
	{                                                                                          \
		.key = "type", .type = &cfg_type_field_value, AT(type_name_, type),                \
		.fallback = "",                                                                    \
		.prose = "Its Content-Type. By default that of a text, or what the end of the "    \
			 "file's name stands for."                                                 \
	}
