/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The control socket: a Unix stream socket on which one line ("status", "explain www.example.com A
 * 192.0.2.0/24") is answered with one JSON document, then closed. The server lives on the control
 * loop; perigeectl is the client. Lines over 4 KiB and slow clients (5 s) are closed.
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

/* Returns a new reference, or NULL after control_defer(). argv[0] is the command. Unknown commands
 * and bad arguments return {"error": "..."}; see control_error(). */
typedef json_t *control_handler(void *arg, int argc, char **argv);

struct control_server;
/* Makes the socket's folder when only that is missing. NULL on failure, as when another process has
 * it; *error (malloc'd, caller frees) then says why. Control loop only. */
struct control_server *control_server_create(struct loop *control, const char *path,
					     control_handler *handler, void *arg, char **error);
void control_server_destroy(struct control_server **server);

/* A command that is answered later. The client may have left by then, and so may the server. */
struct control_request;
/* From inside the handler, which then returns NULL. */
struct control_request *control_defer(struct control_server *server);
/* Consumes both. Every request must be answered. */
void control_answer(struct control_request **request, json_t *answer);

json_t *control_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Client side, blocking, for at most `limit`. A new reference, or NULL with *error set (malloc'd).
 */
#define CONTROL_CALL_TIME DUR_S(10)
json_t *control_call(const char *path, const char *line, duration limit, char **error);
