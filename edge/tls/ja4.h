/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * JA4, by which the clients of a TLS library and its settings can be told from others: FoxIO's
 * public specification (github.com/FoxIO-LLC/ja4, technical_details/JA4.md; BSD licence).
 *
 *	t13d1516h2_8daaf6152771_02713d6af862
 *
 * The protocol below (t: TCP), the highest version, whether a host is named (d) or none (i), how
 * many suites and how many extensions, the first protocol of ALPN; hashes of the suites, and of the
 * extensions, both in order of their numbers, with the signature algorithms. Any thread.
 */
#pragma once

#include <stdbool.h>

struct edge_client_hello;

/* With its NUL. */
#define EDGE_JA4_SIZE 37

void edge_ja4_write(const struct edge_client_hello *hello, char ja4[EDGE_JA4_SIZE]);
