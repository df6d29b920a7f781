/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The life of a daemon: signals, command line, start, reload, stop, control socket. A program says
 * by its operations what is its own, and is served by main() calling daemon_main().
 *
 *   start:   begin -> load (a job) -> control socket, which is the lock of the node ->
 *            open -> watch -> publish -> settled -> serve
 *   reload:  load (a job) -> watch -> settled -> publish
 *   stop:    stop -> daemon_stopped(), or its time is over, or a second signal -> close
 *
 * What a configuration makes is a view here: whatever the program answers by, made by load() as a
 * whole or not at all. The main thread runs the control loop and everything here but load() and
 * discard(), which run as jobs: the control loop never waits for a file. A reload that is asked for
 * while the configuration is being read has it read once more afterwards.
 *
 * A stop does not wait for a load: one that hangs in a dead file server is left behind, and the
 * process ends by _exit() when all else is closed.
 */
#pragma once

#include <jansson.h>

#include "core/base/log.h"
#include "core/loop/job.h"
#include "core/loop/loop.h"
#include "core/process/daemon_options.h"
#include "core/process/daemon_signals.h"

struct daemon;

enum daemon_state {
	DAEMON_STARTING, /* nobody is served yet */
	DAEMON_SERVING,
	DAEMON_STOPPING, /* what is under way may end */
};
const char *daemon_state_text(enum daemon_state state);

/* What the life itself needs of a view's configuration. */
struct daemon_settings {
	const char *control; /* path of the control socket */
	unsigned workers;    /* 0: one per processor */
	enum log_level log_level;
};

struct control_request;

/* A command of the control socket: control_handler, for a daemon. */
struct daemon_verb {
	const char *name;
	const char *arguments; /* "NAME TYPE CLIENT", for people */
	int min, max;          /* how many of them */
	/* Sees to it that the request is answered, by core/process/control.h. */
	void (*run)(struct daemon *d, struct control_request *request, char **arguments, int n);
};

struct daemon_ops {
	struct daemon_program program;
	const struct daemon_verb *verbs; /* its own, beside those of all daemons */
	unsigned n_verbs;

	/* May be NULL. While the process has one thread still: what must be forked. False when it
	 * could not be, which was logged. */
	bool (*begin)(struct daemon *d);
	/* Not on the control loop; nothing may be touched but d->options and what never changes.
	 * Reads and checks all that the configuration names, and says what it is at by
	 * core/base/progress.h. NULL when anything is wrong. *complaints, malloc'd, has one line
	 * for each thing that is wrong, and for what is doubtful: "... warning: ...". */
	void *(*load)(struct daemon *d, char **complaints);
	/* A view that was never watched. Any thread. */
	void (*discard)(void *view);

	struct daemon_settings (*settings)(struct daemon *d, const void *view);
	/* Whether the process is allowed enough for the view, by n workers: before anything is
	 * opened, and for each view after that, which then gets what there is. False was logged. */
	bool (*plan)(struct daemon *d, void *view, unsigned n_workers);
	/* Takes the addresses, logs and whatever else can fail, and makes all that lives as long as
	 * the process; d->group is there, its workers do not run yet. Everything is tried; false
	 * when anything failed, which was logged. close() comes in any case. */
	bool (*open)(struct daemon *d, const void *view);
	/* Begins to find out what must be known before the view serves; before publish(). Another
	 * one may be published. */
	void (*watch)(struct daemon *d, void *view);
	/* What of that is not known yet, such as "edges fra1, nyc1"; malloc'd. NULL: it has
	 * settled.
	 */
	char *(*waits_for)(const void *view);
	/* A view that is watched and is not published. Its freeing may be a job. */
	void (*drop)(struct daemon *d, void *view);
	/* Consumes the view: from here on it serves. */
	void (*publish)(struct daemon *d, void *view);
	/* The path of an option (malloc'd) that differs from the published view's and takes a
	 * restart; NULL: none. */
	char *(*needs_restart)(struct daemon *d, const void *view);
	/* A reload has ended. */
	void (*reloaded)(struct daemon *d, bool ok);

	/* The first view was published, and is settled or has had its time. */
	void (*serve)(struct daemon *d);
	/* Takes nobody on any more. Once nothing is under way it calls daemon_stopped(), perhaps at
	 * once. Returns how long that may take. */
	duration (*stop)(struct daemon *d);
	/* Ends all that open() made; the workers were joined. False when a job of its own is left
	 * behind, see jobs_stop(). */
	bool (*close)(struct daemon *d);

	void (*reopen_logs)(struct daemon *d);
	/* Adds its own to what all daemons tell. */
	void (*status)(struct daemon *d, json_t *status);
};

#define DAEMON_MAGIC 0x4461656du

struct daemon {
	unsigned magic;
	/* The program reads these. */
	struct daemon_options options;
	enum daemon_state state;
	struct jobs *jobs;
	struct loop_group *group; /* from open() to close() */
	uint64_t open_files;      /* descriptors, before there was any of ours */
	/* daemon.c and daemon_views.c only. */
	const struct daemon_ops *ops;
	int exit_code;
	mono_time began;
	struct loop *control; /* the group's, once there is one */
	struct daemon_signals *signals;
	struct control_server *server;
	struct event *patience; /* while stopping */
	struct daemon_views *views;
};

/* All of main(), but for daemon_signals_block() which came first; main() returns what it returns.
 * *d is zero. */
int daemon_main(struct daemon *d, const struct daemon_ops *ops, int argc, char **argv);
/* Nothing is under way any more; of no effect unless stopping. Control loop. */
void daemon_stopped(struct daemon *d);
/* It cannot go on: it stops as by a signal, and exits with 1. Control loop; said in the log by the
 * caller. */
void daemon_end(struct daemon *d);

/* Reads the configuration anew, as SIGHUP has it; of no effect when stopping. Control loop. */
void daemon_reload(struct daemon *d);

/* Raises the soft limit on open files to the hard one. A failure is logged. */
void daemon_raise_file_limit(void);
