/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How large a configuration may be. What a file can ask for follows from these, so that a wrong one
 * ends in words and not in a machine without memory. The ranges of options stand in the option
 * table.
 */
#pragma once

/* Of a configuration with all that it includes: two hundred thousand sites of a line each. */
#define CFG_FILE_BYTES_MAX (16 << 20)
/* Maps, lists and values in it; about ten make a site. */
#define CFG_ENTRIES_MAX 1000000
/* What an alias repeats counts as if it were written, but for the values of a list: they are read
 * once, and one is compared in a fraction of the time in which it is parsed. */
#define CFG_REPEATED_VALUES 16
/* One for each site of a large fleet, and more than that is a pattern that matches by mistake. */
#define CFG_FILES_MAX 10000
/* Includes of includes; nobody nests deeper on purpose. */
#define CFG_INCLUDE_DEPTH_MAX 16
/* Of maps and lists in each other; the option table goes 10 deep. */
#define CFG_DEPTH_MAX 32
/* A value with its environment variables put in: a few bytes can name a variable of 128 KiB. */
#define CFG_VALUE_BYTES_MAX (64 << 10)
/* What all of that becomes: 1,000 bytes for each value that there may be. */
#define CFG_MEMORY_MAX (1 << 30)
/* Of an edge. DNS answers them together, and those of up to eight edges: that must fit into a
 * message. */
#define CFG_ADDRESSES_MAX 64
/* Edge ids are 16 bits wide where clients are steered. */
#define CFG_EDGES_MAX 65535
