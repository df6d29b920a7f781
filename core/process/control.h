/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The control socket: a Unix stream socket on which one line ("status", "explain www.example.com A
 * 192.0.2.0/24") is answered with one JSON document, then closed. The server lives on the control
 * loop; perigeectl is the client. Lines over 4 KiB and slow clients (5 s) are closed.
 */
#pragma once

#include <jansson.h>

#include "core/loop/loop.h"

/* At a time; more wait until one of them has ended. Their descriptors are kept back for them:
 * core/process/descriptors.h. */
#define CONTROL_CLIENTS_MAX 16

/* Returns a new reference. argv[0] is the command. Unknown commands and bad arguments return
 * {"error": "..."}; see control_error(). */
typedef json_t *control_handler(void *arg, int argc, char **argv);

struct control_server;
/* Makes the socket's folder when only that is missing. NULL on failure; *error (malloc'd, caller
 * frees) then says why. Control loop only. */
struct control_server *control_server_create(struct loop *control, const char *path,
					     control_handler *handler, void *arg, char **error);
void control_server_destroy(struct control_server **server);
json_t *control_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Client side, blocking, 10 s at most. A new reference, or NULL with *error set (malloc'd). */
json_t *control_call(const char *path, const char *line, char **error);
