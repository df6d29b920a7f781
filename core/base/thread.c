/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Starting a thread, see thread.h. Any thread.
 */
#include "core/base/thread.h"

#include <signal.h>
#include <stdio.h>

#include "core/base/check.h"

int thread_start(pthread_t *thread, const char *name, void *(*run)(void *arg), void *arg)
{
	char kept[16];
	sigset_t all, saved;
	int error;

	snprintf(kept, sizeof(kept), "%s", name);
	sigfillset(&all);
	CHECK(pthread_sigmask(SIG_SETMASK, &all, &saved) == 0);
	error = pthread_create(thread, NULL, run, arg);
	CHECK(pthread_sigmask(SIG_SETMASK, &saved, NULL) == 0);
	if (error == 0)
		pthread_setname_np(*thread, kept);
	return -error;
}
