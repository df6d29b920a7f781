/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * For daemon.c alone: a daemon's views on their way from a file to what is served by, at the start
 * and at each reload. Control loop.
 */
#pragma once

#include "core/process/control.h"
#include "core/process/daemon.h"

struct daemon_views *daemon_views_create(struct daemon *d);
/* After daemon_views_stop(). */
void daemon_views_destroy(struct daemon_views **views);

/* The load of the start: ends in daemon_loaded(). */
void daemon_views_load_first(struct daemon_views *v);
/* The first view was watched and published: ends in daemon_settled(). Reloads that were asked for
 * meanwhile begin after that. */
void daemon_views_settle_first(struct daemon_views *v, void *view);
/* A reload. `request` is told how it gets on, and answered with its outcome; NULL: nobody waits for
 * it. */
void daemon_views_reload(struct daemon_views *v, struct control_request *request);
/* Nothing more is taken: answers who waits, and drops what was to be published. */
void daemon_views_stop(struct daemon_views *v);
/* Adds "last_reload", if there was one. */
void daemon_views_status(const struct daemon_views *v, json_t *status);

/* daemon.c. Consumes *view, which is NULL when it could not be loaded: then
 * `complaints` says why. */
void daemon_loaded(struct daemon *d, void **view, const char *complaints);
void daemon_settled(struct daemon *d);
