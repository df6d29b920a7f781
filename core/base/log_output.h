/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where log lines go: a file, FIFO or device that is opened here by its path, a descriptor that the
 * program was born with, a receiver of datagrams, or systemd's journal. One thread at a time: the
 * one that may wait (core/base/log_sink.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/addr.h"

enum log_target_kind {
	LOG_TARGET_FILE,      /* or a FIFO, or a device */
	LOG_TARGET_INHERITED, /* a descriptor; it is never closed */
	LOG_TARGET_SOCKET,    /* each line is a datagram to a Unix socket, without its newline */
	LOG_TARGET_UDP,       /* the same to an address */
	LOG_TARGET_JOURNAL, /* each line is an entry: "MESSAGE=...", LOG_FIELD_END, "PRIORITY=6" */
};

/* Between the fields of a line for the journal. */
#define LOG_FIELD_END '\x1f'
/* Fields of such a line; what comes after them is not passed on. */
#define LOG_FIELDS_MAX 32

struct log_target {
	enum log_target_kind kind;
	const char *path;     /* of a file or socket; it must stay */
	int fd;               /* of LOG_TARGET_INHERITED */
	struct net_addr addr; /* of LOG_TARGET_UDP */
};

struct log_output {
	struct log_target target;
	/* -1: nobody is there who reads, at present; each write looks again. The journal's is not
	 * ours. */
	int fd;
	bool regular;
	bool begin_line; /* what the file ends with is no newline: one comes first */
	int failed;      /* a negative errno that the next write is to return; 0: none */
	uint64_t lost;   /* lines that were taken, and are known not to have arrived */
};

/* Never waits for a reader. One that is not there (of a FIFO, of a socket) is no error. 0, or a
 * negative errno. */
int log_output_open(struct log_output *output, const struct log_target *target);
/* A file by its path, a socket by its name, again; on failure (a negative errno) the old one stays.
 * *other: it is another file than before, in which a line must begin from its start. Others:
 * nothing happens. */
int log_output_reopen(struct log_output *output, bool *other);
void log_output_close(struct log_output *output);

/* Writes the first of `n` bytes of whole lines; as many lines at once as the output takes without
 * mixing them with those of other processes. Returns how many bytes were taken, or a negative
 * errno: -EAGAIN when nothing was taken for a tenth of a second. When a file's fd is -1 afterwards,
 * its reader has gone, and whoever comes next must get lines from their start. The journal may take
 * any time. */
ssize_t log_output_write(struct log_output *output, const char *p, size_t n);

/* log_receiver.c, for log_output.c: who takes lines one by one. */

/* A connected socket for datagrams, or a negative errno. */
int log_receiver_connect(const struct log_target *target);
/* Whether by such an error a socket says that nobody reads it, at present. */
bool log_receiver_is_unread(int error);
/* As log_output_write(), to a socket that is connected. */
ssize_t log_receiver_write_datagrams(struct log_output *output, const char *p, size_t n);
/* The same, to the journal. */
ssize_t log_receiver_write_entries(const char *p, size_t n);
