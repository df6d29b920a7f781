/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A log's lines for who takes them one by one: as datagrams, to a Unix socket such as /dev/log or
 * by UDP, or as entries of systemd's journal. A part of core/base/log_output.h, and as all of it
 * for one thread at a time.
 */
#pragma once

#include "core/base/log_output.h"

/* A connected socket for datagrams, or a negative errno. */
int log_receiver_connect(const struct log_target *target);
/* Whether by such an error a socket says that nobody reads it, at present. */
bool log_receiver_is_unread(int error);
/* As log_output_write(), to a socket. */
ssize_t log_receiver_write_datagrams(struct log_output *output, const char *p, size_t n);
/* The same, to the journal. */
ssize_t log_receiver_write_entries(const char *p, size_t n);
