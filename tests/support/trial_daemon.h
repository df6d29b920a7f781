/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A daemon on trial: a child process with a program that notes what it is told to do. A view is one
 * character, read from what stands for the configuration file. The test is its operator: both share
 * a page of memory with the file and the notes. What fails here fails the test. One at a time.
 */
#pragma once

#include <jansson.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/* What the test and the daemon share. */
struct trial {
	_Atomic char file;      /* 'x': broken */
	_Atomic char unsettled; /* this one never settles */
	_Atomic bool hold;      /* loads wait for `go` when they have read the file */
	_Atomic bool hold_end;  /* or when they have done all */
	sem_t go;
	_Atomic unsigned n_loads;
	_Atomic bool fail_plan, fail_open;
	_Atomic size_t len;
	char trace[512];
};

extern struct trial *trial;
extern char trial_dir[64], trial_control[96]; /* a folder of its own; the socket in it */
extern pid_t trial_child;

/* For each test of its own. The second fails when something was left behind. */
int trial_setup(void **state);
int trial_teardown(void **state);

/* The daemon itself, in a child that is there; its exit code. */
int trial_run(const char *argument);
/* Its standard error goes to `err`; NULL: to ours. */
pid_t trial_start(const char *argument, FILE *err);
int trial_exit_code(pid_t pid);

/* What is noted when one has started. */
#define TRIAL_STARTED "open(a) watch(a) publish(a) serve "
/* trial_child is one that has. */
void trial_begin(void);
void trial_signal(int number);
/* By SIGTERM. */
void trial_stop(void);

/* Until just this is noted. */
void trial_wait(const char *expected);
void trial_wait_loads(unsigned n);

/* A command over the control socket: the result, or the object with the error. */
json_t *trial_call(const char *line);
/* Asks, and leaves the answer for later. */
int trial_ask(const char *line);
/* The last line, whatever was said before. */
json_t *trial_answer_of(int fd);
/* The next line is of how a load gets on, and says so. */
void trial_assert_progress(int fd, const char *expected);
/* In between may be others. */
void trial_wait_progress(int fd, const char *expected);
void trial_assert_member(const json_t *object, const char *name, const char *expected);
