/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * origins.NAME: the times, limits and pools of connections to its servers. Constants only.
 */
#include "config/options/rows.h"

static const struct cfg_option keep_alive_options[] = {
    {.key = "enabled",
     .type = &cfg_type_bool,
     AT(cfg_connection, keep_alive.enabled),
     .fallback = "true",
     .prose = "Whether a server is asked now and then by TCP whether it is still there, and a "
	      "connection ended where it is not."},
    {.key = "idle",
     .type = &cfg_type_duration,
     AT(cfg_connection, keep_alive.idle),
     .fallback = "10s",
     RANGE(SECOND, 32767 * SECOND),
     WHEN_ON("enabled"),
     .prose = "After so long without a packet, in whole seconds."},
    {.key = "interval",
     .type = &cfg_type_duration,
     AT(cfg_connection, keep_alive.interval),
     .fallback = "3s",
     RANGE(SECOND, 32767 * SECOND),
     WHEN_ON("enabled"),
     .prose = "Time between two questions, in whole seconds."},
    {.key = "count",
     .type = &cfg_type_uint,
     AT(cfg_connection, keep_alive.count),
     .fallback = "3",
     RANGE(1, 127),
     WHEN_ON("enabled"),
     .prose = "Questions without an answer after which the connection is ended."},
    END,
};

const struct cfg_option cfg_origin_connection_options[] = {
    {.key = "keep_alive",
     .shape = CFG_SECTION,
     .shorthand = "enabled",
     .prose = "Whether and when idle connections are asked for a sign of life. Those of checks are "
	      "too short for it.",
     .children = keep_alive_options},
    {.key = "source",
     .shape = CFG_VALUES,
     .type = &cfg_type_address,
     AT(cfg_connection, source),
     .prose = "Addresses that connections come from: an edge takes the first of those that it "
	      "has, of the family of the server's address, so that all edges may stand here. One "
	      "that has none of them says so when it starts, and the kernel chooses then, as it "
	      "does without this. An address that an edge gets later counts from the next reload "
	      "on."},
    {.key = "fast_open",
     .type = &cfg_type_bool,
     AT(cfg_connection, fast_open),
     .fallback = "false",
     .prose = "Whether TCP Fast Open (RFC 7413) is used with servers that have it: the TLS "
	      "handshake begins a round trip earlier. Only with TLS, as what goes first may arrive "
	      "twice. Some networks drop such packets: connections fail then until the kernel "
	      "has noticed."},
    COUNT("mss", AT(cfg_connection, mss), "0", 0, 32767,
	  "Largest TCP segment, in bytes without headers, that either side sends: for ways where "
	  "larger packets get lost and nothing says so. 0: by the network; else at least 88."),
    {.key = "congestion_control",
     .type = &cfg_type_congestion_control,
     AT(cfg_connection, congestion_control),
     .fallback = "",
     .prose = "The kernel's congestion control for what is sent to servers, as bbr; \"\" is the "
	      "one that the kernel has for all. Where it cannot be used, a warning says so, and "
	      "the kernel's own is."},
    {.key = "user_timeout",
     .type = &cfg_type_duration,
     AT(cfg_connection, user_timeout),
     .fallback = "0s",
     RANGE(0, DAY),
     .prose = "How long what was sent may go unacknowledged before the kernel ends the connection "
	      "(TCP_USER_TIMEOUT); also how long a server may let nothing be sent to it. It counts "
	      "in place of keep_alive.count. 0s: vanished servers are found as timeout.connect "
	      "says, and slow ones have timeout.idle."},
    END,
};

const struct cfg_option cfg_origin_timeout_options[] = {
    TIMEOUT("connect", AT(cfg_origin, timeout.connect), "3s",
	    "From a server's name to a connection, for all that are tried for a request together. "
	    "A server that then acknowledges nothing for as long has vanished."),
    {.key = "tls",
     .type = &cfg_type_duration,
     AT(cfg_origin, timeout.tls),
     .fallback = "0s",
     RANGE(0, DAY),
     .prose = "Of that, for the TLS handshake with one server: one that accepts connections and "
	      "then says nothing is given up so early that there is time for another. 0s: all that "
	      "is left."},
    TIMEOUT("response", AT(cfg_origin, timeout.response), "30s",
	    "From a request that was sent to the head of its response."),
    TIMEOUT("idle", AT(cfg_origin, timeout.idle), "30s",
	    "Between two pieces of a response's body; also how long a server may take nothing of a "
	    "request."),
    TIMEOUT("queue", AT(cfg_origin, timeout.queue), "5s",
	    "For a request to get a connection while as many as allowed are in use."),
    {.key = "total",
     .type = &cfg_type_duration,
     AT(cfg_origin, timeout.total),
     .fallback = "0s",
     RANGE(0, DAY),
     .prose =
	 "From a request's head to the end of its response, whatever waits and attempts that "
	 "takes; 0s: any time. Tunnels are not meant, but downloads are, and streams that go on "
	 "for long. A route may have a total as well, which counts a fallback in, too."},
    END,
};

const struct cfg_option cfg_origin_limit_options[] = {
    COUNT("connections", AT(cfg_origin, limit.connections), "1000", 1, 1000000,
	  "Connections of an edge to each address of a server at a time, idle ones too. Those of "
	  "HTTP/2 belong to one worker each: give it at least as many as the edge has workers, or "
	  "they take turns, and requests of some of them wait for theirs."),
    COUNT("all_connections", AT(cfg_origin, limit.all_connections), "0", 0, 1000000,
	  "Connections of an edge to all servers of the origin together at a time, idle ones too; "
	  "0: any number. When a request needs one more, the connection to any of them that has "
	  "been idle for longest gives way."),
    COUNT("queue", AT(cfg_origin, limit.queue), "1000", 0, 1000000,
	  "Requests that wait for a connection at a time, for each address of a server; over it "
	  "they are answered with 503."),
    COUNT("requests", AT(cfg_origin, limit.requests), "0", 0, 1000000,
	  "Requests of an edge to all servers of the origin together at a time, tunnels and those "
	  "that wait too; 0: any number. What comes over it does not wait, but is answered with "
	  "503, or as all_down says. Where many go by one connection, by HTTP/2, no other limit "
	  "bounds them."),
    BYTES("head_bytes", AT(cfg_origin, limit.head_bytes), "64KiB", KIB, MIB,
	  "Size of a response's head; a larger one is refused."),
    COUNT("fields", AT(cfg_origin, limit.fields), "200", 1, 10000,
	  "Fields in a response's head; one with more is refused."),
    END,
};

const struct cfg_option cfg_origin_pool_options[] = {
    COUNT("max_idle", AT(cfg_origin, pool.max_idle), "256", 0, 100000,
	  "Idle connections kept for each address of a server."),
    TIMEOUT("idle_timeout", AT(cfg_origin, pool.idle_timeout), "55s",
	    "How long an idle connection is kept; keep it below the server's own timeout. One to a "
	    "relay (via) is kept for an hour."),
    {.key = "max_age",
     .type = &cfg_type_duration,
     AT(cfg_origin, pool.max_age),
     .fallback = "1h",
     RANGE(0, 365 * DAY),
     .prose = "How old a connection may be when a request is given it; 0s: any age. Each gets a "
	      "time of its own, up to an eighth less, so that they do not all end together; what "
	      "is in use is not interrupted."},
    COUNT("max_requests", AT(cfg_origin, pool.max_requests), "0", 0, 1000000000,
	  "How many requests a connection is used for; 0: any number."),
    COUNT(
	"warm", AT(cfg_origin, pool.warm), "1", 0, 100000,
	"Connections opened ahead of requests and kept ready for each address of a server, beyond "
	"those that were in use at a time in the last minutes, and a share of those of another "
	"server, should that end; so that requests do not wait for connections to be made. They "
	"are there before a server gets its first request, and are replaced before they expire. "
	"Never more than max_idle are opened for that. By HTTP/2, which needs no more, it is one "
	"for each worker. 0: connections are opened for requests only."),
    END,
};
