/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * http: what every edge does to requests. A part of config/fleet.h.
 */
#pragma once

#include "config/change.h"
#include "config/limit.h"

/* What listeners without TLS do with a request. */
enum cfg_plain {
	CFG_PLAIN_REDIRECT, /* to https, but for /.well-known/acme-challenge/ (default) */
	CFG_PLAIN_SERVE,
};

/* What clients may speak over TLS. */
enum cfg_protocol { CFG_PROTOCOL_H2, CFG_PROTOCOL_HTTP1, CFG_PROTOCOLS };

/* Fields whose names have underscores. */
enum cfg_underscores { CFG_UNDERSCORES_DROP, CFG_UNDERSCORES_PASS };

/* Which responses say in Proxy-Status what the edge made of them. */
enum cfg_proxy_status {
	CFG_PROXY_STATUS_ERRORS, /* its own of classes 4xx and 5xx (default) */
	CFG_PROXY_STATUS_ALL,
	CFG_PROXY_STATUS_OFF,
};

/* What is the name of no file, as the output of a log. */
#define CFG_OUTPUT_SYSLOG "syslog"
#define CFG_OUTPUT_JOURNALD "journald"
/* Of RFC 5426. */
#define CFG_SYSLOG_PORT 514

#define CFG_LOG_JSON "json"
#define CFG_LOG_COMBINED "combined"
/* Of a text with variables. */
#define CFG_LOG_FORMAT_MAX 4096

/* Which of the failed requests get a line where others are a sample. */
enum cfg_log_failures { CFG_LOG_FAILURES_ALL, CFG_LOG_FAILURES_SAMPLED };

/* http.access_log: a line for each request. */
struct cfg_access_log {
	const char *output; /* path, one of the words above, "-" for standard output, "" for none */
	const char *format; /* a word above, or a text with variables */
	double sample;      /* percent */
	enum cfg_log_failures failures;
	struct {
		const char *receiver; /* path of a socket, which has a slash, or an address */
		unsigned facility;    /* its number by RFC 5424; local0 */
	} syslog;
};

/* http: what every edge does to requests. */
struct cfg_http {
	struct {
		duration handshake;  /* 10 s */
		duration head;       /* first byte to complete head, 10 s */
		duration body;       /* between two pieces of a request body, 30 s */
		duration write;      /* no progress of the response, 30 s */
		duration keep_alive; /* idle between requests, 60 s */
		duration tunnel;     /* no byte in either direction of a tunnel, 1 h */
		duration shutdown;   /* to finish requests when told to stop, 10 s */
	} timeout;
	struct {
		uint64_t head_bytes;   /* 32 KiB */
		unsigned fields;       /* 100 */
		uint64_t target_bytes; /* 8 KiB */
		/* All below are of the whole edge, not of each worker. */
		unsigned connections; /* 15,000; over it the longest idle one gives way */
		unsigned silent; /* that have not yet said anything, 4,096; the oldest gives way */
		unsigned handshakes; /* in flight, 1,024 */
		/* What is held for those that do not take it, 512 MiB; over it the connection that
		 * has taken nothing for longest is cut off. */
		uint64_t buffered;
		uint64_t min_rate;    /* of content and responses, bytes a second, 100 */
		unsigned tracked;     /* clients and keys that are remembered, 65,536 */
		uint64_t compression; /* what encoders of responses hold, 128 MiB */
	} limit;
	struct cfg_uints protocols; /* enum cfg_protocol, in order of preference; at least one */
	struct {
		unsigned streams; /* of one connection at a time, 100 */
		/* Free at once, of one connection; a tenth of it is forgiven every second. */
		unsigned resets; /* of streams, by the client or because of it, 200 */
		unsigned frames; /* of each other kind that do no work, 1,000 */
	} h2;
	struct cfg_per_client per_client;
	struct cfg_access *access;
	unsigned n_access;
	struct cfg_limit *limits;
	unsigned n_limits;
	enum cfg_plain plain;
	struct cfg_access_log access_log;
	enum cfg_proxy_status proxy_status;
	bool server_timing;                  /* responses say what took how long */
	struct cfg_prefixes proxy_protocol;  /* whose connections begin with its header, v1 or v2 */
	struct cfg_prefixes trusted_proxies; /* whose X-Forwarded- and Forwarded are kept */
	struct cfg_strings trusted_fields;   /* and these, which are tokens */
	enum cfg_underscores underscores;
	struct cfg_request_id request_id;
	struct cfg_trace trace;
	const char *alt_svc; /* value of Alt-Svc; "": none */
};
