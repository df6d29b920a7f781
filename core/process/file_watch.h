/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Looks after the files that were loaded, and tells when any of them is another than it was when it
 * was read: written, replaced, gone, there again, or reached by a link that leads elsewhere now.
 *
 * inotify says when to look: it is asked about the folders of the files, and about those that hold
 * a link on the way to them. Its events are waited for to end, as who renews a certificate writes
 * several files. What has changed is found by comparing (core/base/file.h), so that nothing
 * is lost between reading and watching, and that nobody minds what else happens in those folders.
 * As file systems of other machines send no events, and a system has room for so many watches only,
 * there is also a look once a minute.
 *
 * Embedded in who wants it. Control loop; looking is a job, as a dead file server may hold it up.
 */
#pragma once

#include <event2/event_struct.h>

#include "core/base/file.h"
#include "core/loop/job.h"

struct file_look;

struct file_watch {
	/* On the control loop, with the first of the paths. Those that have changed are not told of
	 * again until they change once more, or other notes are there. */
	void (*changed)(struct file_watch *w, const char *path);

	/* private */
	unsigned magic;
	struct loop *control;
	struct jobs *jobs;
	struct event timer;
	struct event readable; /* pending: `fd` is there */
	int fd;
	mono_time since; /* the first event after the last look; while `stirred` */
	bool stirred;
	struct file_look *look; /* that is under way; NULL: none */
	bool again;             /* when that is over */
	/* The jobs' thread's. */
	struct file_notes *notes; /* NULL: none yet */
	bool told_of_limit;
};

/* *w is zero, but that there may be notes already. `jobs` are those of `control`. */
void file_watch_init(struct file_watch *w, struct loop *control, struct jobs *jobs,
		     void (*changed)(struct file_watch *w, const char *path));
/* On the jobs' thread: what was read last, which is what is looked after from now on. */
void file_watch_notes(struct file_watch *w, struct file_notes **notes);
/* The notes are new: looks when nothing has happened for a while, as after each event. Who changes
 * a file all the time has it read once in some seconds. */
void file_watch_look(struct file_watch *w);
/* After jobs_stop(), and before the loop is destroyed. */
void file_watch_stop(struct file_watch *w);
/* After that, unless a job was left behind. */
void file_watch_fini(struct file_watch *w);
