/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Hashes of passwords, as they stand in files of htpasswd: which of them can be checked, and the
 * check. Pure; any thread. To check one takes milliseconds, for that is what they are made for: not
 * on a loop.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A longer one is refused when it is loaded: what crypt(5) has is shorter. */
#define EDGE_PASSWORD_HASH_MAX 192

/* NULL, or why it cannot be used, in words that go on from "the hash of NAME": of a kind that this
 * system does not know or that is too easy to find out, or dearer than any server should pay. */
const char *edge_password_fault(const char *hash);
/* Microseconds that such a hash takes to check, about: good for comparing hashes of all kinds. */
uint64_t edge_password_cost(const char *hash);
/* Whether this is the password; false also when memory is gone. Leaves nothing of it in memory. */
bool edge_password_matches(const char *password, const char *hash);
