/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The numbers of key exchange groups (IANA, TLS Supported Groups). Pure; any thread.
 */
#pragma once

#include <stdint.h>

#include <gnutls/gnutls.h>

#define TLS_GROUP_SECP256R1_MLKEM768 4587
#define TLS_GROUP_X25519_MLKEM768 4588
#define TLS_GROUP_SECP384R1_MLKEM1024 4589

/* 0: not known. */
uint16_t tls_group_number(gnutls_group_t group);
