/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The control socket: a Unix stream socket on which one line ("status", "explain www.example.com A
 * 192.0.2.0/24") is a command, and is answered with lines of JSON. The server lives on the control
 * loop; perigeectl is the client.
 *
 *   <  reload
 *   >  {"progress": "reading /etc/perigee/perigee.yaml"}
 *   >  {"progress": "zones 3 of 12"}
 *   >  {"result": {"reloaded": true, "restart": null, "warnings": []}}
 *
 * Each line of the answer is one object that ends with a newline and has none in it. Any number of
 *   {"progress": TEXT}    say what is being done, for people. The last line is one of
 *   {"result": VALUE}     the command was carried out;
 *   {"error": TEXT}       it was not, or not as a whole: with "errors": [TEXT...] when there are
 *                         several things wrong, each with its place.
 * Then the connection is closed; a further command takes another one.
 *
 * A command may last for as long as it needs, and ends whether or not who asked still listens. Who
 * does not read misses progress, of which no more than CONTROL_UNREAD_MAX waits for him, and has
 * 5 s for the last line. Commands over 4 KiB, and those that do not come within 5 s, are not
 * answered.
 *
 * The socket is also what keeps a second process of the same node from serving: it is locked by a
 * file beside it, PATH.lock, which is taken first and given back last.
 */
#pragma once

#include <jansson.h>

#include "core/loop/loop.h"

/* At a time; more wait until one of them has ended. Their descriptors are kept back for them:
 * core/process/descriptors.h. */
#define CONTROL_CLIENTS_MAX 16
/* Bytes of progress: a screen or two of lines. What is in the kernel's buffers comes on top. */
#define CONTROL_UNREAD_MAX 8192
/* With its newline. */
#define CONTROL_LINE_MAX 4096

/* A command that is under way. Every one must be answered; the client may have left by then, and
 * the server may have ended. */
struct control_request;

/* argv[0] is the command; argv lasts until this returns. Answers, now or later. */
typedef void control_handler(void *arg, struct control_request *request, int argc, char **argv);

struct control_server;
/* Makes the socket's folder when only that is missing. NULL on failure, as when another process has
 * it; *error (malloc'd, caller frees) then says why. Control loop only; so is all of the server. */
struct control_server *control_server_create(struct loop *control, const char *path,
					     control_handler *handler, void *arg, char **error);
void control_server_destroy(struct control_server **server);

/* Says what is being done, in a few words. */
void control_progress(struct control_request *request, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Consumes both. `answer` is what control_error() made, or else the result; NULL (memory, or a
 * text that is no UTF-8) is an error. */
void control_answer(struct control_request **request, json_t *answer);

/* {"error": TEXT}; "errors" may be added. Any thread; so is the next. */
json_t *control_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A string of what may be no UTF-8, as a file name may not: then by printable(). */
json_t *control_text(const char *text);

/* The client: core/process/control_call.c. Blocking. */

typedef void control_listener(void *arg, const char *progress);

struct control_call {
	const char *path;
	const char *command;        /* one line, without its newline */
	duration patience;          /* for each line of the answer */
	control_listener *listener; /* NULL: what is being done is of no interest */
	void *arg;
};

/* Of a command that is answered at once. */
#define CONTROL_CALL_TIME DUR_S(10)
/* The last line: {"result": ...} or {"error": ...}. A new reference, or NULL when there is none,
 * and *error (malloc'd) says why. */
json_t *control_call(const struct control_call *call, char **error);
