/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Events of inotify, the timer between them and looking, and the job that looks. Each look makes a
 * new inotify descriptor, with watches for all folders as they are reached then, and the one before
 * is closed: so there is nothing to keep in step with folders that come, go or are renamed.
 */
#include "core/process/file_watch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/log.h"

#define FILE_WATCH_MAGIC 0x57617463u

/* So long nothing more must have happened. certbot writes the four files of a certificate within a
 * few milliseconds; a person copies a certificate, then its key. */
#define QUIET DUR_MS(500)
/* For folders in which something happens all the time. */
#define PATIENCE DUR_S(5)
#define ANYWAY DUR_S(60)
/* As the kernel has it. */
#define LINKS_MAX 40
/* Of a folder. Not what is written to a file in it: when that is closed is soon enough. */
#define EVENTS                                                                                     \
	(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ATTRIB |        \
	 IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

struct file_look {
	struct job job;
	struct file_watch *w; /* its own thread's part of it only, until it is done */
	int fd;               /* of inotify; -1: there can be none */
	bool full;            /* some folders have no watch */
	char *changed;        /* the first that has; NULL: none */
};

/* Looking: on the jobs' thread */

/* A way through the file system: the folder that it has come to, without links, and the rest. */
struct way {
	char folder[PATH_MAX];
	char rest[PATH_MAX];
	unsigned links;
};

static void watch_folder(struct file_look *look, const char *folder)
{
	if (look->fd >= 0 && inotify_add_watch(look->fd, folder, EVENTS) < 0 && errno == ENOSPC)
		look->full = true;
}

/* Takes the first name off the rest; false: there is none. */
static bool next_name(struct way *way, char name[NAME_MAX + 1])
{
	const char *start = way->rest + strspn(way->rest, "/");
	size_t n = strcspn(start, "/");

	if (n == 0 || n > NAME_MAX)
		return false;
	memcpy(name, start, n);
	name[n] = '\0';
	memmove(way->rest, start + n, strlen(start + n) + 1);
	return true;
}

static bool is_at_end(const struct way *way)
{
	return way->rest[strspn(way->rest, "/")] == '\0';
}

static void leave_folder(struct way *way)
{
	char *slash = strrchr(way->folder, '/');

	if (slash != NULL)
		slash[slash == way->folder] = '\0';
}

static bool enter(struct way *way, const char *name)
{
	size_t n = strlen(way->folder);
	const char *slash = n > 0 && way->folder[n - 1] != '/' ? "/" : "";

	return snprintf(way->folder + n, PATH_MAX - n, "%s%s", slash, name) < (int)(PATH_MAX - n);
}

/* The folder of the link is where it goes on from. */
static bool follow(struct way *way, const char *link)
{
	char rest[PATH_MAX];
	char target[PATH_MAX];
	ssize_t n = readlink(link, target, sizeof(target) - 1);

	if (n <= 0 || ++way->links > LINKS_MAX)
		return false;
	target[n] = '\0';
	if (target[0] == '/')
		strcpy(way->folder, "/");
	if (snprintf(rest, sizeof(rest), "%s/%s", target, way->rest) >= (int)sizeof(rest))
		return false;
	strcpy(way->rest, rest);
	return true;
}

/* One name further; false: this is the end of the way. Who holds a link, what is looked for, or
 * where it would be, is watched. */
static bool walk(struct file_look *look, struct way *way)
{
	char name[NAME_MAX + 1], *path;
	struct stat st;
	bool found, on;

	if (!next_name(way, name) || strcmp(name, ".") == 0)
		return !is_at_end(way);
	if (strcmp(name, "..") == 0) {
		leave_folder(way);
		return !is_at_end(way);
	}
	path = xasprintf("%s/%s", way->folder, name);
	found = lstat(path, &st) == 0;
	if (!found || S_ISLNK(st.st_mode) || is_at_end(way))
		watch_folder(look, way->folder);
	if (found && S_ISLNK(st.st_mode))
		on = follow(way, path);
	else
		on = found && S_ISDIR(st.st_mode) && enter(way, name);
	free(path);
	if (on && is_at_end(way))
		watch_folder(look, way->folder);
	return on && !is_at_end(way);
}

static void watch_way_to(struct file_look *look, const char *path)
{
	struct way way;

	way.links = 0;
	if (path[0] == '/')
		strcpy(way.folder, "/");
	else if (getcwd(way.folder, sizeof(way.folder)) == NULL)
		return;
	if (snprintf(way.rest, sizeof(way.rest), "%s", path) >= (int)sizeof(way.rest))
		return;
	while (walk(look, &way)) {
	}
}

static void run_look(struct job *job)
{
	struct file_look *look = CONTAINER_OF(job, struct file_look, job);
	struct file_notes *notes = look->w->notes;

	look->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	look->full = look->fd < 0;
	for (unsigned i = 0; notes != NULL && i < file_notes_count(notes); i++) {
		const char *path = file_notes_path(notes, i);

		/* In this order: what happens in between is an event. */
		watch_way_to(look, path);
		if (file_notes_look(notes, i) && look->changed == NULL)
			look->changed = xstrdup(path);
	}
	if (look->full && !look->w->told_of_limit)
		log_warn("there are no more inotify watches (fs.inotify.max_user_watches, "
			 "max_user_instances): changes of some files are seen within a minute");
	look->w->told_of_limit = look->full;
}

/* Between looks: on the control loop */

static void set_timer(struct file_watch *w, duration d)
{
	const struct timeval time = dur_to_timeval(d);

	CHECK(event_add(&w->timer, &time) == 0);
}

static void stop_reading(struct file_watch *w)
{
	if (w->fd < 0)
		return;
	event_del(&w->readable);
	close(w->fd);
	w->fd = -1;
}

/* Something has happened: waits until nothing more does. */
static void stir(struct file_watch *w)
{
	mono_time now = loop_now(w->control);
	duration left;

	if (!w->stirred)
		w->since = now;
	w->stirred = true;
	left = DUR_NS(PATIENCE.ns - mono_since(now, w->since).ns);
	set_timer(w, left.ns < QUIET.ns ? DUR_NS(MAX(left.ns, 0)) : QUIET);
}

static void readable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct file_watch *w = arg;
	char events[4096];

	MAGIC_CHECK(w, FILE_WATCH_MAGIC);
	while (read(fd, events, sizeof(events)) > 0) {
	}
	file_watch_look(w);
}

static void start_reading(struct file_watch *w, int fd)
{
	w->fd = fd;
	CHECK(event_assign(&w->readable, loop_base(w->control), fd, EV_READ | EV_PERSIST,
			   readable_cb, w) == 0);
	CHECK(event_add(&w->readable, NULL) == 0);
}

static void free_look(struct file_look *look)
{
	if (look->fd >= 0)
		close(look->fd);
	free(look->changed);
	free(look);
}

static void discard_look(struct job *job)
{
	free_look(CONTAINER_OF(job, struct file_look, job));
}

static void look_done(struct job *job)
{
	struct file_look *look = CONTAINER_OF(job, struct file_look, job);
	struct file_watch *w = look->w;

	MAGIC_CHECK(w, FILE_WATCH_MAGIC);
	w->look = NULL;
	stop_reading(w);
	if (look->fd >= 0)
		start_reading(w, look->fd);
	look->fd = -1;
	set_timer(w, ANYWAY);
	if (w->again)
		stir(w);
	w->again = false;
	if (look->changed != NULL)
		w->changed(w, look->changed);
	free_look(look);
}

static void start_look(struct file_watch *w)
{
	static const struct job_ops ops = {run_look, look_done, discard_look};
	struct file_look *look = xcalloc(1, sizeof(*look));

	w->stirred = false;
	w->again = false;
	w->look = look;
	look->w = w;
	look->fd = -1;
	job_start(w->jobs, &look->job, &ops);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct file_watch *w = arg;

	MAGIC_CHECK(w, FILE_WATCH_MAGIC);
	if (w->look == NULL)
		start_look(w);
}

/* For others */

void file_watch_init(struct file_watch *w, struct loop *control, struct jobs *jobs,
		     void (*changed)(struct file_watch *w, const char *path))
{
	w->changed = changed;
	w->magic = FILE_WATCH_MAGIC;
	w->control = control;
	w->jobs = jobs;
	w->fd = -1;
	CHECK(evtimer_assign(&w->timer, loop_base(control), timer_cb, w) == 0);
}

void file_watch_notes(struct file_watch *w, struct file_notes **notes)
{
	file_notes_destroy(&w->notes);
	w->notes = TAKE(notes);
}

void file_watch_look(struct file_watch *w)
{
	MAGIC_CHECK(w, FILE_WATCH_MAGIC);
	if (w->look == NULL)
		stir(w);
	else
		w->again = true;
}

void file_watch_stop(struct file_watch *w)
{
	event_del(&w->timer);
	stop_reading(w);
}

void file_watch_fini(struct file_watch *w)
{
	file_notes_destroy(&w->notes);
	w->magic = MAGIC_DEAD;
}
