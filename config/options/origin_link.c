/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * origins.NAME: the times, limits and pools of connections to its servers. Constants only.
 */
#include "config/options/rows.h"

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
	  "requests of some of them wait while others keep theirs."),
    COUNT("all_connections", AT(cfg_origin, limit.all_connections), "0", 0, 1000000,
	  "Connections of an edge to all servers of the origin together at a time, idle ones too; "
	  "0: any number. When a request needs one more, the connection to any of them that has "
	  "been idle for longest gives way."),
    COUNT("queue", AT(cfg_origin, limit.queue), "1000", 0, 1000000,
	  "Requests that wait for a connection at a time, for each address of a server; over it "
	  "they are answered with 503."),
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
