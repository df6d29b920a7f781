/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The connections of a program to its origins: what all its loops share (conns_node: the endpoints,
 * and how loops reach each other), and a loop's own side (conns), which leases are taken from.
 */
#pragma once

struct conns;
struct conns_node;
struct loop_group;
struct metrics;
struct stream_buffers;

/* Control loop. Counts into `metrics`, which must outlive the sides. */
struct conns_node *conns_node_create(struct loop_group *group, struct metrics *metrics);
/* How many idle connections all sides together may keep, each an even share of them, whatever the
 * terms of the leases say; at first any number. Holds for what becomes idle from now on. */
void conns_node_set_idle_limit(struct conns_node *node, unsigned limit);
/* When all sides are destroyed and all endpoints given. Mail that is still under way finds nobody;
 * the last of it, run when its loop is destroyed, frees what is left. */
void conns_node_destroy(struct conns_node **node);

/* The side of the loop of `buffers`. Created before the loop runs, and destroyed after it was
 * joined and all its leases have ended. */
struct conns *conns_create(struct conns_node *node, struct stream_buffers *buffers);
/* Closes what is idle. */
void conns_destroy(struct conns **conns);
