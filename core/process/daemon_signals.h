/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Signals of a daemon: blocked from the first moment on and read from a descriptor, so that there
 * is no handler that could run at a bad time, and none that comes too early or too late: one that
 * comes before the control loop runs waits for it, and one that comes after it has ended is of no
 * effect any more. Main thread, which runs the control loop.
 */
#pragma once

#include "core/loop/loop.h"

/* First of all in main(), before any thread: blocks what is listed below, and ignores SIGPIPE. */
void daemon_signals_block(void);
/* Back to what they mean to a program that only reads its configuration and ends. */
void daemon_signals_unblock(void);

/* Called on the control loop. */
struct daemon_signal_ops {
	void (*stop)(void *arg);        /* the first SIGTERM or SIGINT: finish what is begun */
	void (*stop_now)(void *arg);    /* every further one */
	void (*reload)(void *arg);      /* SIGHUP */
	void (*reopen_logs)(void *arg); /* SIGUSR1 */
};

struct daemon_signals;
/* After daemon_signals_block(). `ops` must outlive the result. */
struct daemon_signals *daemon_signals_create(struct loop *control,
					     const struct daemon_signal_ops *ops, void *arg);
/* Before the loop is destroyed. They stay blocked. */
void daemon_signals_destroy(struct daemon_signals **signals);
