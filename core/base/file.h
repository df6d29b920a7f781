/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Files that are loaded: read whole into memory before anything looks at them, so that whoever
 * rewrites or truncates a file while it is in use can spoil the next load at most. Nothing that is
 * loaded is mapped, and only regular files are read: a FIFO never ends, a device has no size.
 *
 * Blocking, as long as the disk takes: not for a loop's thread while it serves. Any thread.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* The contents of a file. All zero: none. */
struct file {
	char *data; /* `len` bytes, and a NUL after them that does not count */
	size_t len;
	dev_t device; /* with `inode`: which file it is, whatever it was called */
	ino_t inode;
};

/* Reads the file of at most `max` bytes. NULL, or what is wrong, malloc'd: in words that go on from
 * the file's name ("is a FIFO, not a regular file"); then `file` is all zero. A file that changes
 * while it is read is wrong too. */
char *file_read(struct file *file, const char *path, size_t max);
/* Frees the contents, overwritten first: they may have been a key. */
void file_wipe(struct file *file);

/* The same into a sealed memfd, for libraries that want to open a file themselves. *fd is the
 * caller's to close, and -1 when something is wrong. */
char *file_read_to_memfd(int *fd, size_t *len, const char *path, size_t max);
