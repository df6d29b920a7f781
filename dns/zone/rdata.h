/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rdata that comes from outside: whether it has the form of its type. libknot takes the form of
 * what it is given to write for granted, and a master file can hold anything (RFC 3597 section 5).
 * Pure; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A type's name, for people. Returns buf. */
#define DNS_TYPE_TEXT 16
const char *dns_type_format(uint16_t type, char buf[static DNS_TYPE_TEXT]);

/* What is wrong with it, or NULL. Names must be whole, uncompressed and end inside. Types that
 * nobody knows may have any data. */
const char *dns_rdata_fault(uint16_t type, const uint8_t *data, size_t len);

/* The canonical form (RFC 4034 section 6.2) of rdata without fault: in place, the names of the
 * types that the RFC names become lower case. Returns whether that changed anything. */
bool dns_rdata_to_canonical(uint16_t type, uint8_t *data, size_t len);
