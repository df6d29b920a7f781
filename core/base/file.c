/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Reading of regular files, see file.h. The size is known before the memory is taken, so that a key
 * is in one place only and a huge file costs nothing.
 */
#include "core/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/check.h"

/* Versions */

static struct file_version version_of(const struct stat *st)
{
	return (struct file_version){.there = true,
				     .device = st->st_dev,
				     .inode = st->st_ino,
				     .size = st->st_size,
				     .modified = st->st_mtim,
				     .changed = st->st_ctim};
}

struct file_version file_version(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? version_of(&st) : (struct file_version){0};
}

static bool is_same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool file_version_equal(const struct file_version *a, const struct file_version *b)
{
	return a->there == b->there && a->device == b->device && a->inode == b->inode &&
	       a->size == b->size && is_same_time(a->modified, b->modified) &&
	       is_same_time(a->changed, b->changed);
}

/* Notes */

struct note {
	char *path;
	struct file_version version;
};

struct file_notes {
	pthread_mutex_t lock;
	/* Under the lock, while they are written. */
	struct note *v;
	unsigned n, room;
};

static _Thread_local struct file_notes *current;

struct file_notes *file_notes_create(void)
{
	struct file_notes *notes = xcalloc(1, sizeof(*notes));

	CHECK(pthread_mutex_init(&notes->lock, NULL) == 0);
	return notes;
}

void file_notes_destroy(struct file_notes **notesp)
{
	struct file_notes *notes = TAKE(notesp);

	if (notes == NULL)
		return;
	for (unsigned i = 0; i < notes->n; i++)
		free(notes->v[i].path);
	free(notes->v);
	pthread_mutex_destroy(&notes->lock);
	free(notes);
}

void file_notes_begin(struct file_notes *notes)
{
	current = notes;
}

struct file_notes *file_notes_current(void)
{
	return current;
}

static void add_note(struct file_notes *notes, const char *path, struct file_version version)
{
	if (notes == NULL)
		return;
	pthread_mutex_lock(&notes->lock);
	if (notes->n == notes->room) {
		notes->room = MAX(2 * notes->room, 16);
		notes->v = xreallocarray(notes->v, notes->room, sizeof(*notes->v));
	}
	notes->v[notes->n++] = (struct note){xstrdup(path), version};
	pthread_mutex_unlock(&notes->lock);
}

void file_note(const char *path, const struct stat *st)
{
	add_note(current, path, st != NULL ? version_of(st) : (struct file_version){0});
}

struct file_version file_note_version(const char *path)
{
	struct file_version version = file_version(path);

	add_note(current, path, version);
	return version;
}

unsigned file_notes_count(const struct file_notes *notes)
{
	return notes->n;
}

const char *file_notes_path(const struct file_notes *notes, unsigned i)
{
	return notes->v[i].path;
}

bool file_notes_look(struct file_notes *notes, unsigned i)
{
	struct note *note = &notes->v[i];
	const struct file_version before = note->version;

	note->version = file_version(note->path);
	return !file_version_equal(&note->version, &before);
}

/* Reading */

#define CHANGED "was changed while it was read"

/* A file that was found to be one that can be read. */
struct source {
	int fd;
	bool found; /* then `stat` is set */
	struct stat stat;
};

static char *cannot_read(int error)
{
	return xasprintf("cannot be read: %s", strerrordesc_np(error));
}

static const char *kind_text(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "a folder";
	case S_IFIFO:
		return "a FIFO";
	case S_IFSOCK:
		return "a socket";
	default:
		return "a device";
	}
}

/* What keeps a file of this kind and size from being read, or NULL. */
static char *refuse(const struct stat *st, size_t max)
{
	if (!S_ISREG(st->st_mode))
		return xasprintf("is %s, not a regular file", kind_text(st->st_mode));
	if ((uintmax_t)st->st_size <= max)
		return NULL;
	if (max >= 1 << 20)
		return xasprintf("is larger than %zu MiB", max >> 20);
	return xasprintf("is larger than %zu KiB", max >> 10);
}

static char *cannot_open(const struct stat *st)
{
	if (errno != EACCES && errno != EPERM)
		return cannot_read(errno);
	return xasprintf("cannot be read: %s (it belongs to user %u, mode %04o)",
			 strerrordesc_np(errno), (unsigned)st->st_uid, st->st_mode & 07777);
}

static char *source_open(struct source *s, const char *path, size_t max)
{
	char *error;

	s->fd = -1;
	/* A look first: opening is not without effect on a device or on the writer of a FIFO. */
	s->found = stat(path, &s->stat) == 0;
	if (!s->found)
		return cannot_read(errno);
	error = refuse(&s->stat, max);
	if (error != NULL)
		return error;
	/* Not blocking, should it have become a FIFO since. */
	s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (s->fd < 0)
		return cannot_open(&s->stat);
	error = fstat(s->fd, &s->stat) != 0 ? cannot_read(errno) : refuse(&s->stat, max);
	if (error != NULL)
		close(s->fd);
	return error;
}

/* The same, noted as what it was before anything was read of it. */
static char *source_open_noted(struct source *s, const char *path, size_t max)
{
	char *error = source_open(s, path, max);

	file_note(path, s->found ? &s->stat : NULL);
	return error;
}

static bool is_unchanged(const struct source *s)
{
	struct stat now;

	return fstat(s->fd, &now) == 0 && now.st_size == s->stat.st_size &&
	       now.st_mtim.tv_sec == s->stat.st_mtim.tv_sec &&
	       now.st_mtim.tv_nsec == s->stat.st_mtim.tv_nsec;
}

/* As many bytes as it had when it was opened; there may be no more after them. */
static char *source_read(const struct source *s, char *to)
{
	size_t size = (size_t)s->stat.st_size, used = 0;
	char more;
	ssize_t n;

	do {
		n = used < size ? read(s->fd, to + used, size - used) : read(s->fd, &more, 1);
		if (n > 0)
			used += (size_t)n;
	} while ((n > 0 && used <= size) || (n < 0 && errno == EINTR));
	if (n < 0)
		return cannot_read(errno);
	return used == size && is_unchanged(s) ? NULL : xstrdup(CHANGED);
}

char *file_read(struct file *file, const char *path, size_t max)
{
	struct source s;
	char *error;

	*file = (struct file){0};
	error = source_open_noted(&s, path, max);
	if (error != NULL)
		return error;
	file->len = (size_t)s.stat.st_size;
	file->device = s.stat.st_dev;
	file->inode = s.stat.st_ino;
	file->data = malloc(file->len + 1);
	if (file->data == NULL)
		error = cannot_read(ENOMEM);
	else
		error = source_read(&s, file->data);
	close(s.fd);
	if (error == NULL)
		file->data[file->len] = '\0';
	else
		file_wipe(file);
	return error;
}

void file_wipe(struct file *file)
{
	if (file->data != NULL)
		explicit_bzero(file->data, file->len);
	free(file->data);
	*file = (struct file){0};
}

/* The memfd has its memory before it is written: then a want of it is an error, not a signal. */
static char *fill_memfd(int fd, const struct source *s)
{
	size_t size = (size_t)s->stat.st_size;
	char *error, *to;
	int rc;

	if (size == 0)
		return source_read(s, NULL);
	rc = posix_fallocate(fd, 0, s->stat.st_size);
	if (rc != 0)
		return cannot_read(rc);
	to = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (to == MAP_FAILED)
		return cannot_read(errno);
	error = source_read(s, to);
	munmap(to, size);
	return error;
}

char *file_read_to_memfd(int *fd, size_t *len, const char *path, size_t max)
{
	struct source s;
	char *error;

	*fd = -1;
	*len = 0;
	error = source_open_noted(&s, path, max);
	if (error != NULL)
		return error;
	*fd = memfd_create("perigee", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	error = *fd < 0 ? cannot_read(errno) : fill_memfd(*fd, &s);
	if (error == NULL &&
	    fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
		error = cannot_read(errno);
	close(s.fd);
	if (error == NULL) {
		*len = (size_t)s.stat.st_size;
	} else if (*fd >= 0) {
		close(*fd);
		*fd = -1;
	}
	return error;
}
