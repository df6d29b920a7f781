/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Starting a thread. All signals are blocked in it: they are the main thread's business.
 */
#pragma once

#include <pthread.h>

/* `name`: what the kernel takes, up to 15 characters; longer ones are cut. The caller joins it or
 * detaches it. 0, or -EAGAIN: the process is allowed no more threads. */
int thread_start(pthread_t *thread, const char *name, void *(*run)(void *arg), void *arg);
