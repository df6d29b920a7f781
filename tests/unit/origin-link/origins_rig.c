/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See origins_rig.h. Everything runs on the control loop, in the test's thread.
 */
#include "tests/unit/origin-link/origins_rig.h"

#include <stdio.h>
#include <stdlib.h>

void origins_rig_init(struct origins_rig *rig)
{
	static struct cfg_range good = {200, 399};

	*rig = (struct origins_rig){.group = loop_group_create(0)};
	rig->buffers = stream_buffers_create(rig->group->control);
	rig->olink = olink_create(rig->group, rig->buffers);
	rig->conns = conns_create(rig->olink->conns, rig->buffers);
	rig->origin = (struct cfg_origin){
	    .resolve = {DUR_S(1), DUR_S(300), DUR_S(86400), CFG_FAMILY_ANY},
	    .name = "app",
	    .servers = rig->servers,
	    .tls = {.name = ""},
	    .timeout = {.connect = DUR_S(10), .queue = DUR_S(10)},
	    .limit = {.connections = 100, .queue = 100},
	    .pool = {.max_idle = 8, .idle_timeout = DUR_S(60)},
	};
	rig->origin.health.check = (struct cfg_check){
	    .kind = CFG_CHECK_TCP,
	    .host = "",
	    .path = "/",
	    .statuses = {&good, 1},
	    .interval = DUR_S(3600),
	    .timeout = DUR_S(10),
	    .rise = 1,
	    .fall = 1,
	};
	rig->fleet.origins = &rig->origin;
	rig->fleet.n_origins = 1;
}

void origins_rig_fini(struct origins_rig *rig)
{
	olink_origins_destroy(&rig->origins);
	conns_destroy(&rig->conns);
	CHECK(origins_rig_count(rig, OLINK_IDLE) == 0);
	olink_destroy(&rig->olink);
	stream_buffers_destroy(&rig->buffers);
	loop_group_destroy(&rig->group);
	for (unsigned i = 0; i < rig->origin.n_servers; i++)
		free((char *)rig->servers[i].address.host);
}

void origins_rig_add_server(struct origins_rig *rig, const char *host, uint16_t port)
{
	CHECK(rig->origin.n_servers < ORIGINS_RIG_SERVERS_MAX);
	rig->servers[rig->origin.n_servers++] = (struct cfg_origin_server){
	    .address = {.host = xstrdup(host), .port = port}, .weight = 1};
}

void origins_rig_add_servers(struct origins_rig *rig, unsigned n)
{
	char host[NET_ADDR_TEXT];

	for (unsigned i = 1; i <= n; i++) {
		snprintf(host, sizeof(host), "192.0.2.%u", i);
		origins_rig_add_server(rig, host, 80);
	}
}

struct olink_origins *origins_rig_load(const struct cfg_fleet *fleet)
{
	struct diag *diag = diag_create();
	struct olink_origins *o = olink_origins_load(fleet, &olink_nowhere, diag);

	CHECK(o && diag_count(diag) == 0);
	diag_destroy(&diag);
	return o;
}

void origins_rig_open(struct origins_rig *rig)
{
	rig->origins = origins_rig_load(&rig->fleet);
	olink_origins_open(rig->origins, rig->olink);
}

struct olink_address *origins_rig_address(struct origins_rig *rig, unsigned server)
{
	return server_addresses(rig->origins->servers[0][server])->v[0];
}

/* Tests record results where checks would, and do not wait for the end of a turn. */
static void prepare(struct origins_rig *rig)
{
	struct server_user *user;

	for (unsigned i = 0; i < rig->origin.n_servers; i++) {
		LIST_FOREACH (user, &rig->origins->servers[0][i]->users, link)
			user->changed(user, true);
	}
}

enum reason origins_rig_find(struct origins_rig *rig)
{
	prepare(rig);
	rig->n_found = 0;
	return origins_candidates(rig->origins, &rig->origin, rig->group->control, &rig->affinity,
				  rig->found, &rig->n_found);
}

int64_t origins_rig_count(const struct origins_rig *rig, enum olink_counter id)
{
	return metrics_sum(rig->olink->metrics, id);
}

struct look {
	struct origins_rig *rig;
	bool (*is_so)(struct origins_rig *rig);
};

static void look_cb(evutil_socket_t fd, short what, void *arg)
{
	struct look *look = arg;

	if (look->is_so(look->rig))
		loop_stop_mt(look->rig->group->control);
}

void origins_rig_run_until(struct origins_rig *rig, bool (*is_so)(struct origins_rig *rig))
{
	struct look look = {rig, is_so};
	struct timeval often = {.tv_usec = 1000};
	struct event *ev =
	    event_new(loop_base(rig->group->control), -1, EV_PERSIST, look_cb, &look);

	CHECK(ev && event_add(ev, &often) == 0);
	loop_run(rig->group->control);
	event_free(ev);
}

bool origins_rig_is_swept(struct origins_rig *rig)
{
	endpoints_sweep(rig->olink->conns);
	return LIST_EMPTY(&rig->olink->conns->endpoints);
}
