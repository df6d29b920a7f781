/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An origin without a thread or a loop of its own: a listener on 127.0.0.1:0 and the newest
 * connection to it, which a test looks after between two turns of the loop that it tests. Nothing
 * here blocks.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/base/addr.h"

struct polled_origin {
	int listener;
	struct net_addr addr;
	int conn; /* -1: none */
};

void polled_origin_open(struct polled_origin *o);
void polled_origin_close(struct polled_origin *o);
/* A newer connection takes the place of the one that is there. True when one has come. */
bool polled_origin_accept(struct polled_origin *o);
/* Bytes read; 0 at the end, -1 when there is nothing (more) or no connection. */
ssize_t polled_origin_read(struct polled_origin *o, void *buf, size_t len);
/* As much as is taken. */
size_t polled_origin_send(struct polled_origin *o, const void *data, size_t len);
void polled_origin_end_writing(struct polled_origin *o);
void polled_origin_drop(struct polled_origin *o, bool reset);
