/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * For tests of what happens when this process is out of file descriptors.
 */
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include "core/base/check.h"

static inline void descriptors_allow(rlim_t n)
{
	struct rlimit limit;

	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = n;
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

/* From now on there is none for anybody, until one below the lowest free number is closed. Returns
 * what was allowed, for descriptors_allow(). */
static inline rlim_t descriptors_use_up(void)
{
	struct rlimit before;
	int lowest = dup(STDERR_FILENO);

	CHECK(lowest >= 0 && close(lowest) == 0 && getrlimit(RLIMIT_NOFILE, &before) == 0);
	descriptors_allow((rlim_t)lowest);
	return before.rlim_cur;
}
