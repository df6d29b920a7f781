/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See ticket_keys.h. Secrets are never moved in memory, so that no copy of them stays behind: files
 * are sorted by name, which is by time, before they are read into their places.
 */
#include "edge/tls/ticket_keys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gnutls/crypto.h>

#include "core/base/check.h"
#include "core/base/file.h"

#define SUFFIX ".key"
/* 2026-11-26T10:00:00Z */
#define TIME_LEN 20
/* Since 1900: the nanoseconds of a wall_time end in 2262. */
#define YEARS_MAX 361
/* So that a file that is too long is told from one that is no key at all. */
#define FILE_MAX 4096

static bool is_key_file(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return entry->d_name[0] != '.' && n >= strlen(SUFFIX) &&
	       strcmp(entry->d_name + n - strlen(SUFFIX), SUFFIX) == 0;
}

/* Names and times */

char *ticket_time_text(wall_time time)
{
	time_t seconds = (time_t)(time.ns / 1000000000);
	char text[64];
	struct tm tm;

	CHECK(gmtime_r(&seconds, &tm) != NULL);
	CHECK(strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0);
	return xstrdup(text);
}

bool ticket_time_parse(const char *text, size_t n, wall_time *time)
{
	char copy[TIME_LEN + 1], *again;
	struct tm tm = {0};
	bool ok;

	if (n != TIME_LEN)
		return false;
	memcpy(copy, text, n);
	copy[n] = '\0';
	if (strptime(copy, "%Y-%m-%dT%H:%M:%SZ", &tm) == NULL || tm.tm_year < 70 ||
	    tm.tm_year > YEARS_MAX)
		return false;
	*time = (wall_time){(int64_t)timegm(&tm) * 1000000000};
	/* It takes more than it gives: one digit for two, the 31st of any month. */
	again = ticket_time_text(*time);
	ok = strcmp(again, copy) == 0;
	free(again);
	return ok;
}

static bool parse_name(const char *name, wall_time *from)
{
	size_t n = strlen(name);

	if (n < TIME_LEN + strlen(SUFFIX) || !ticket_time_parse(name, TIME_LEN, from))
		return false;
	/* What follows the time only tells those of one time apart. */
	return strcmp(name + TIME_LEN, SUFFIX) == 0 || name[TIME_LEN] == '-';
}

bool ticket_key_name_is_good(const char *name)
{
	size_t n = strlen(name);
	wall_time from;

	return strchr(name, '/') == NULL && n > strlen(SUFFIX) &&
	       strcmp(name + n - strlen(SUFFIX), SUFFIX) == 0 && parse_name(name, &from);
}

/* Reading */

/* A directory and its complaints. */
struct reading {
	const char *directory;
	struct cfg_place place;
	struct diag *diag;
};

static void warn_of_readers(const struct reading *r, const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_mode & S_IROTH) != 0)
		diag_warn(r->diag, r->place,
			  "%s may be read by everybody (mode %04o): whoever has a key of tickets "
			  "can read what is sent in their sessions",
			  path, (unsigned)st.st_mode & 07777);
}

static bool read_secret(const struct reading *r, const char *path, struct ticket_key *key)
{
	static const uint8_t zeros[TICKET_SECRET_SIZE];
	struct file file;
	char *error = file_read(&file, path, FILE_MAX);
	bool ok = false;

	if (error != NULL) {
		diag_add(r->diag, r->place, "%s %s", path, error);
	} else if (file.len != TICKET_SECRET_SIZE) {
		diag_add(r->diag, r->place, "%s holds %zu bytes, where a key of tickets has %d",
			 path, file.len, TICKET_SECRET_SIZE);
	} else if (memcmp(file.data, zeros, TICKET_SECRET_SIZE) == 0) {
		diag_add(r->diag, r->place, "%s holds zeros only: it was never written", path);
	} else {
		memcpy(key->secret, file.data, TICKET_SECRET_SIZE);
		ok = true;
	}
	free(error);
	file_wipe(&file);
	return ok;
}

static bool read_key(const struct reading *r, const char *name, struct ticket_key *key)
{
	char *path = xasprintf("%s/%s", r->directory, name);
	bool ok = false;

	if (!parse_name(name, &key->from))
		diag_add(
		    r->diag, r->place,
		    "%s: a key of tickets is called like 2026-11-26T10:00:00Z-ab12cd34.key, by "
		    "the time from which it is used",
		    path);
	else
		ok = read_secret(r, path, key);
	if (ok)
		warn_of_readers(r, path);
	key->name = xstrdup(name);
	free(path);
	return ok;
}

static int compare(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int choose(const struct dirent *entry)
{
	return is_key_file(entry);
}

/* False: complained about. */
static bool list_files(const struct reading *r, struct dirent ***files, int *n)
{
	struct stat st;

	/* For who looks whether there is another key by now. */
	file_note(r->directory, stat(r->directory, &st) == 0 ? &st : NULL);
	*n = scandir(r->directory, files, choose, compare);
	if (*n < 0) {
		diag_add(r->diag, r->place, "%s: %s", r->directory, strerrordesc_np(errno));
		*files = NULL;
		*n = 0;
		return false;
	}
	if (*n > TICKET_KEYS_MAX)
		diag_add(r->diag, r->place, "%s has %d keys of tickets; %d are the most",
			 r->directory, *n, TICKET_KEYS_MAX);
	return *n <= TICKET_KEYS_MAX;
}

bool ticket_keys_read(struct ticket_keys *keys, const char *directory, struct cfg_place place,
		      struct diag *diag)
{
	const struct reading r = {directory, place, diag};
	struct dirent **files;
	int n;
	bool ok = list_files(&r, &files, &n);

	*keys = (struct ticket_keys){0};
	if (ok)
		keys->v = xcalloc((size_t)n + 1, sizeof(*keys->v));
	for (int i = 0; i < n; i++) {
		if (keys->v != NULL)
			ok &= read_key(&r, files[i]->d_name, &keys->v[keys->n++]);
		free(files[i]);
	}
	free(files);
	if (!ok)
		ticket_keys_fini(keys);
	return ok;
}

void ticket_keys_fini(struct ticket_keys *keys)
{
	for (unsigned i = 0; i < keys->n; i++) {
		free(keys->v[i].name);
		explicit_bzero(keys->v[i].secret, sizeof(keys->v[i].secret));
	}
	free(keys->v);
	*keys = (struct ticket_keys){0};
}

unsigned ticket_keys_in_use(const struct ticket_keys *keys, wall_time now)
{
	for (unsigned i = keys->n; i > 0; i--) {
		if (keys->v[i - 1].from.ns <= now.ns)
			return i - 1;
	}
	return keys->n;
}

/* Making */

/* 0 or an errno. */
static int write_secret(int fd, const struct stat *directory)
{
	uint8_t secret[TICKET_SECRET_SIZE];
	ssize_t n;

	CHECK(gnutls_rnd(GNUTLS_RND_KEY, secret, sizeof(secret)) == 0);
	n = write(fd, secret, sizeof(secret));
	explicit_bzero(secret, sizeof(secret));
	if (n != (ssize_t)sizeof(secret))
		return n < 0 ? errno : ENOSPC;
	/* Only root may give it away; the edge mostly is another user. */
	if (geteuid() == 0 && fchown(fd, directory->st_uid, directory->st_gid) != 0)
		return errno;
	return fsync(fd) == 0 ? 0 : errno;
}

/* Under another name first, so that an edge finds it whole or not at all. 0 or an errno. */
static int make_file(int directory, const char *name)
{
	char *first = xasprintf(".%s.new", name);
	int error = 0, fd;
	struct stat st;

	fd = openat(directory, first, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(directory, &st) != 0)
		error = errno;
	if (error == 0)
		error = write_secret(fd, &st);
	if (error == 0 && renameat(directory, first, directory, name) != 0)
		error = errno;
	if (fd >= 0)
		close(fd);
	if (error != 0 && fd >= 0)
		unlinkat(directory, first, 0);
	free(first);
	return error;
}

char *ticket_key_make(const char *directory, wall_time from, char **error)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), failed;
	char *time = ticket_time_text(from), *name;
	uint8_t id[4];

	CHECK(gnutls_rnd(GNUTLS_RND_NONCE, id, sizeof(id)) == 0);
	name = xasprintf("%s-%02x%02x%02x%02x" SUFFIX, time, id[0], id[1], id[2], id[3]);
	free(time);
	failed = fd < 0 ? errno : make_file(fd, name);
	if (fd >= 0)
		close(fd);
	if (failed == 0)
		return name;
	*error = xasprintf("%s: %s", directory, strerrordesc_np(failed));
	free(name);
	return NULL;
}
