/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Master files (RFC 1035 section 5, RFC 2308 section 4), as BIND and NSD take them: what
 * libzscanner reads, and what it leaves to others: includes, relative origins, $GENERATE, the TTL
 * of records that are written without one, lines that end in CR LF. Private to dns/zone/. One
 * thread; blocking.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libzscanner/scanner.h>

#include "config/diag.h"

struct dns_sources;

struct dns_master {
	struct dns_sources *sources; /* every file is added to them */
	struct diag *diag;
	/* Called for every record; its file is sources->v[file]. The scanner has the record, whose
	 * TTL is `ttl`. False: that is enough. */
	bool (*take)(void *arg, const zs_scanner_t *s, uint32_t ttl, unsigned file, unsigned line);
	void *arg;

	/* Its own. */
	bool over;         /* nothing more is read */
	size_t bytes_left; /* of the text of all files, with what is generated */
	unsigned depth;
	struct master_file *open; /* the files that are being read, innermost first */
	bool ttl_known;           /* some record has said its TTL, and no $TTL has come */
	uint32_t ttl;             /* the last that was said */
	unsigned generated_at;    /* line of the $GENERATE whose text is read, or 0 */
};

/* Reads the file and all that it includes. `from` is where it is named. */
void dns_master_read(struct dns_master *master, const char *path, const char *origin,
		     struct cfg_place from);
