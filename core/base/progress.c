/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The listener of each thread.
 */
#include "core/base/progress.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

static _Thread_local progress_listener *listens;
static _Thread_local void *listener_arg;

void progress_listen(progress_listener *listener, void *arg)
{
	listens = listener;
	listener_arg = arg;
}

void progress_say(const char *fmt, ...)
{
	char text[PROGRESS_TEXT];
	va_list ap;

	if (listens == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	listens(listener_arg, text);
}
