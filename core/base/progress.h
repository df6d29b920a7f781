/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a long piece of work is at, for whoever waits for it: "zones 3 of 12". The work says it
 * wherever it is, and need not know whether anybody listens; who starts the work listens on the
 * thread that it runs on. Each thread has its own listener, or none.
 */
#pragma once

/* A longer text is cut. */
#define PROGRESS_TEXT 512

typedef void progress_listener(void *arg, const char *text);

/* From now on, for this thread; NULL: nobody listens. */
void progress_listen(progress_listener *listener, void *arg);
/* A few words, for people. Of no effect when nobody listens; cheap enough to be said of each of
 * thousands of things. */
void progress_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
