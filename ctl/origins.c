/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Origins, for people: what they are and how they are in one table, what was asked of their servers
 * in another, and how long that took in a third. In one they would be wider than any terminal.
 */
#include <stdbool.h>

#include "ctl/perigeectl.h"

/* The same tree of origins and servers, with nothing of a server but its name and one of its
 * members, `under` it or spread over it; without it where there is none. */
static json_t *only(json_t *origins, const char *member, bool under)
{
	json_t *all = json_object(), *origin, *server;
	const char *name;
	size_t i;

	json_object_foreach(origins, name, origin)
	{
		json_t *servers = json_array();

		json_array_foreach(json_object_get(origin, "servers"), i, server)
		{
			json_t *wanted = json_object_get(server, member), *one;

			if (json_object_size(wanted) == 0)
				continue;
			one = json_pack("{s:O*, s:O*}", "host", json_object_get(server, "host"),
					"port", json_object_get(server, "port"));
			if (under)
				json_object_set(one, member, wanted);
			else
				json_object_update(one, wanted);
			json_array_append_new(servers, one);
		}
		if (json_array_size(servers) > 0)
			json_object_set_new(all, name, json_pack("{s:O}", "servers", servers));
		json_decref(servers);
	}
	return all;
}

static void take_out(json_t *origins, const char *member)
{
	json_t *origin, *server;
	const char *name;
	size_t i;

	json_object_foreach(origins, name, origin)
	{
		json_array_foreach(json_object_get(origin, "servers"), i, server)
		    json_object_del(server, member);
	}
}

void ctl_split_origins(json_t *status)
{
	json_t *origins = json_object_get(status, "origins"), *traffic, *times;

	if (!json_is_object(origins))
		return;
	traffic = only(origins, "traffic", false);
	times = only(origins, "times", true);
	take_out(origins, "traffic");
	take_out(origins, "times");
	json_object_set_new(status, "origins_traffic", traffic);
	json_object_set_new(status, "origins_times", times);
}
