/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * origins.NAME: where the content comes from, and how it is got. A part of config/fleet.h.
 */
#pragma once

#include "config/check.h"
#include "config/values.h"

struct cfg_respond;

/* TLS to the servers of an origin. */
struct cfg_origin_tls {
	bool enabled;            /* default false; then all below is as by default */
	bool verify;             /* default true */
	const char *ca;          /* path; NULL: the system's certificates */
	const char *name;        /* for SNI and the certificate; "": the server's own name */
	const char *certificate; /* path of what the edge shows; NULL: nothing */
	const char *key;         /* path; NULL when certificate is */
};

/* The PROXY protocol header that connections to the servers of an origin begin with. */
enum cfg_proxy_protocol {
	CFG_PROXY_PROTOCOL_NONE,
	CFG_PROXY_PROTOCOL_V1,
	CFG_PROXY_PROTOCOL_V2,
	CFG_PROXY_PROTOCOL_V2_TLS, /* with what is known of the client's TLS */
};

/* When a server is left out because of what requests have found. Default: never, as it depends on
 * the application what a failure is: one that takes too long over some requests may be the best
 * there is. */
struct cfg_outliers {
	bool enabled;            /* default false; then all below is as by default */
	unsigned failures;       /* in a row; 0: not looked at; 5 */
	unsigned gateway_errors; /* in a row; 0: not looked at; 5 */
	double share;            /* percent of a window's attempts; 0: not looked at; 50 */
	unsigned latency;        /* times the median of the others; 0: not looked at; 0 */
	unsigned requests;       /* that a window must have for these two; 100 */
	duration window;         /* 10 s */
	duration ejection;       /* the first time; as much longer each time after that; 10 s */
	duration ejection_max;   /* 5 min */
	double most;             /* percent of those that are up, left out at a time; 50 */
};

/* How a server is chosen for each request. */
enum cfg_balance_method {
	CFG_BALANCE_ROUND_ROBIN,
	CFG_BALANCE_LEAST_REQUESTS,
	CFG_BALANCE_LATENCY,
	CFG_BALANCE_HASH,
};

enum cfg_same_site { CFG_SAME_SITE_STRICT, CFG_SAME_SITE_LAX, CFG_SAME_SITE_NONE };

/* The cookie that keeps a client at a server. */
struct cfg_sticky {
	bool enabled; /* default false */
	const char *name, *path;
	duration max_age; /* 0: as long as the client runs */
	bool secure, http_only;
	enum cfg_same_site same_site;
};

struct cfg_balance {
	enum cfg_balance_method method;
	struct {
		const char *by; /* with variables */
		double slack;   /* percent, 25 */
	} hash;
	struct cfg_sticky sticky;
	duration slow_start; /* 0: none */
	double spill;        /* percent, 50 */
	unsigned subset;     /* 0: all */
};

/* What requests go to the servers of an origin by: AUTO is what a server takes, by ALPN, and
 * HTTP/1.1 without TLS. */
enum cfg_origin_protocol {
	CFG_ORIGIN_PROTOCOL_AUTO,
	CFG_ORIGIN_PROTOCOL_HTTP1,
	CFG_ORIGIN_PROTOCOL_H2,
};

/* What sockets of connections to the servers of an origin have. */
struct cfg_connection {
	struct {
		bool enabled;            /* default true; else all below is as by default */
		duration idle, interval; /* 10 s, 3 s */
		unsigned count;          /* 3 */
	} keep_alive;
	struct cfg_addrs source; /* the first of a family that an edge has; none: any; port 0 */
	bool fast_open;          /* default false */
	unsigned mss;            /* 0: by the way there */
	const char *congestion_control; /* "": the kernel's */
	duration user_timeout;          /* 0: none */
};

/* When nothing is sent to an origin for a while, because too much of it fails. */
struct cfg_breaker {
	bool enabled;      /* default false; then all below is as by default */
	double share;      /* percent of a window's attempts, 50 */
	unsigned requests; /* that a window must have, 20 */
	duration window;   /* 10 s */
	duration open;     /* 5 s */
	unsigned trials;   /* requests that are let through after that, 3 */
};

/* Without a server that is up. */
enum cfg_all_down {
	CFG_ALL_DOWN_TRY, /* them all the same */
	CFG_ALL_DOWN_REFUSE,
	CFG_ALL_DOWN_FALLBACK,
	CFG_ALL_DOWN_PAGE,
};

struct cfg_edge;

enum cfg_family { CFG_FAMILY_ANY, CFG_FAMILY_IPV4, CFG_FAMILY_IPV6 };

/* How the names of the servers of an origin are looked up. */
struct cfg_resolve {
	duration ttl_min;       /* what a name server says is taken to be at least this, 1 s */
	duration ttl_max;       /* and at most this, 5 min */
	duration keep;          /* past their time, while no name server gives others, 3 days */
	enum cfg_family family; /* any */
};

/* In the order of the choices of retries.after. */
enum cfg_retry_after {
	CFG_RETRY_CONNECT, /* there is no connection to a server */
	CFG_RETRY_IDLE,    /* a connection that was open before broke */
	CFG_RETRY_RESET,   /* a new one broke */
};

/* When a request is sent again. */
struct cfg_retries {
	unsigned attempts; /* most that may follow the first, 1 */
	enum cfg_retry_after *after;
	unsigned n_after; /* 0: connect and idle; with attempts > 1 reset too */
	struct cfg_range *statuses;
	unsigned n_statuses;
	uint64_t body;            /* of content that is kept to be sent again, 64 KiB */
	duration per_try_timeout; /* from a request that was sent to the head; 0: none of its own */
	struct {
		bool enabled; /* false */
		double
		    percentile; /* of the origin's latency, 95; after that a second one is sent */
		duration after; /* 0: percentile says */
	} hedge;
	struct {              /* of origins only */
		double share; /* percent of the requests, 20 */
		unsigned min; /* a second, 10 */
	} budget;
	struct cfg_place place;
};

/* One of its servers, or several that are alike: each address that the name has. */
struct cfg_origin_server {
	struct cfg_server address; /* without a port: 443 with TLS, else 80; or without a host: */
	const char *srv;           /* the name of SRV records that say which servers; NULL: none */
	unsigned weight;           /* of each address beside those of others, 1 */
	enum cfg_admin admin;      /* drained: no request goes there */
	unsigned priority;         /* 0: before all others, which is the default */
	struct cfg_coords location;
	const struct cfg_edge *via; /* NULL: as the origin says */
	struct cfg_place place;
};

/* "app.example.net" of "_http._tcp.app.example.net" (RFC 2782): what the name is without the labels
 * that only SRV records have. */
const char *cfg_service_domain(const char *srv);
/* Whether the host of a server is "unix:" and a path, and that path. */
bool cfg_is_unix(const char *host);
const char *cfg_unix_path(const char *host);
/* Whoever is reached through a Unix socket is on this machine. */
#define CFG_UNIX_NAME "localhost"
/* What a server is known by: to be verified as, and asked for in checks. */
const char *cfg_origin_server_name(const struct cfg_origin_server *server);

/* origins.NAME: where the content comes from. */
struct cfg_origin {
	const char *name;
	struct cfg_place place;
	unsigned id;
	struct cfg_origin_server *servers;
	unsigned n_servers;
	const struct cfg_edge *via; /* the edge that requests go by; NULL: straight on */
	struct cfg_balance balance;
	struct cfg_origin_tls tls;
	enum cfg_origin_protocol protocol;      /* default: as the servers say */
	enum cfg_proxy_protocol proxy_protocol; /* none; else a connection is of one client */
	struct {
		bool enabled; /* default true */
		struct cfg_check check;
		struct cfg_outliers outliers;
		double panic; /* percent that must be up, else all are taken to be; 0 */
	} health;
	enum cfg_all_down all_down;        /* default: try them all the same */
	const char *fallback_name;         /* NULL: none */
	const struct cfg_origin *fallback; /* it; NULL unless CFG_ALL_DOWN_FALLBACK; no circles */
	struct cfg_respond *page;          /* one, only with CFG_ALL_DOWN_PAGE */
	unsigned n_page;
	struct cfg_breaker breaker;
	struct cfg_resolve resolve;
	struct cfg_connection connection;
	struct {
		duration connect;  /* name to connection, with its TLS handshake, 3 s */
		duration tls;      /* of that, for one handshake; 0: what is left of it */
		duration response; /* request sent to response head, 30 s */
		duration idle;     /* between two pieces of a body, either way, 30 s */
		duration queue;    /* for a connection while all that are allowed are in use, 5 s */
		duration total;    /* request to end of response, attempts and all; 0: any */
	} timeout;
	struct {
		unsigned connections;     /* per server address, idle ones too, 1,000 */
		unsigned all_connections; /* of all server addresses together; 0: any number */
		unsigned queue;      /* requests that wait for one, per server address, 1,000 */
		unsigned requests;   /* under way, of all servers together; 0: any number */
		uint64_t head_bytes; /* of a response, 64 KiB */
		unsigned fields;     /* of a response, 200 */
	} limit;
	struct {
		unsigned max_idle;     /* connections per server address, 256 */
		duration idle_timeout; /* 55 s: under nginx's default of 75 s */
		duration max_age;      /* 1 h, as nginx's keepalive_time; 0: any */
		unsigned max_requests; /* 0: any number */
		unsigned warm;         /* ready per server address, beyond those in use lately, 1 */
	} pool;
	struct cfg_retries retries;
};

/* The edge that its server `i` is reached through; NULL: none. */
static inline const struct cfg_edge *cfg_origin_via(const struct cfg_origin *origin, unsigned i)
{
	return origin->servers[i].via ? origin->servers[i].via : origin->via;
}
