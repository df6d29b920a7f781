/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * $GENERATE, an extension of BIND's: a line of a master file that stands for many. Pure; private to
 * dns/zone/.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "START-STOP[/STEP] OWNER [TTL] [CLASS] TYPE DATA", taken apart. */
struct dns_generate {
	uint32_t start, stop, step;
	char *owner, *middle, *data; /* middle: TTL, class and type */
};

/* `line` is what stands after the directive, without its end. NULL, or what is wrong with it. */
const char *dns_generate_parse(struct dns_generate *g, const char *line, size_t len);
void dns_generate_fini(struct dns_generate *g);

/* The most that one line may become, some times what any record needs that is not text. */
#define DNS_GENERATE_LINE 4096
/* The line of one number, with its end and a NUL; its length. 0: longer than that, or there is
 * something wrong with a format. */
size_t dns_generate_line(const struct dns_generate *g, uint32_t number,
			 char line[static DNS_GENERATE_LINE]);
