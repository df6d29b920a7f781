/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Files that are loaded: read whole into memory before anything looks at them, so that whoever
 * rewrites or truncates a file while it is in use can spoil the next load at most. Nothing that is
 * loaded is mapped, and only regular files are read: a FIFO never ends, a device has no size.
 *
 * What a thread reads is noted, if it wants it: so it can be told later whether any of the files is
 * not any more what was read.
 *
 * Blocking, as long as the disk takes: not for a loop's thread while it serves. Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

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

/* What a file is known by: who replaces, writes or unlocks one changes its inode, or the time of
 * the last change of that. All zero: it is not there. */
struct file_version {
	bool there;
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified, changed;
};

/* Blocking. */
struct file_version file_version(const char *path);
bool file_version_equal(const struct file_version *a, const struct file_version *b);

/* Which files were read, and as what. */
struct file_notes;

struct file_notes *file_notes_create(void);
void file_notes_destroy(struct file_notes **notes);

/* From now on, what this thread reads; NULL: it is not noted. */
void file_notes_begin(struct file_notes *notes);
/* Of this thread, for others that do a part of its work; NULL: it has begun none. */
struct file_notes *file_notes_current(void);
/* A file, or a folder that is listed, as it is met; NULL: it is not there. Of no effect when this
 * thread has begun no notes. */
void file_note(const char *path, const struct stat *st);
/* The same as what it is now. Blocking. */
struct file_version file_note_version(const char *path);

/* Once nobody writes them any more, for one thread at a time. */

unsigned file_notes_count(const struct file_notes *notes);
const char *file_notes_path(const struct file_notes *notes, unsigned i);
/* Whether it is another now, or is written or its owner or mode changed; then that is noted in its
 * place. Blocking. */
bool file_notes_look(struct file_notes *notes, unsigned i);
