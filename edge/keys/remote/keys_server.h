/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One perigee-keys, as the relay has it: its name, the connections to it that nobody uses just now,
 * and whether it answers. A thread of its own looks after it: finds its addresses, keeps a
 * connection warm, sees that it is gone before a handshake has to, and that it is back. So whoever
 * asks never waits for a name, and for one that is known to be gone not at all. Any thread may ask.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/base/clock.h"
#include "edge/keys/remote/credentials.h"
#include "edge/keys/signer_message.h"

enum keys_server_state {
	KEYS_SERVER_UNTRIED, /* the process has just begun */
	KEYS_SERVER_UP,
	KEYS_SERVER_DOWN,
};

struct keys_server;

/* Lives as long as the process. `name`: "host:port", an address in it as in "[2001:db8::1]:8853".
 * `changed` is called, from any thread, when its state has. NULL: that is no name, or there can be
 * no thread. */
struct keys_server *keys_server_create(const char *name, const struct wire_files *files,
				       void (*changed)(void));
enum keys_server_state keys_server_state(struct keys_server *server);
/* A request, to which the response goes into `out`, of SIGNER_REMOTE_MAX bytes: its size. 0: it
 * does not answer; and is down from now on, if it had its time, and has answered nobody else. */
size_t keys_server_ask(struct keys_server *server, enum signer_verb verb, const void *request,
		       size_t n, void *out, mono_time deadline);
/* "host:port: why it did not answer the last time"; malloc'd. */
char *keys_server_fault(struct keys_server *server);
