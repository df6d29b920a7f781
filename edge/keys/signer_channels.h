/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The other end of edge/keys/signer_link.h: a process that the edge asks over channels, with one
 * thread for each of them, and the main one for new ones. What it answers is for others to say.
 */
#pragma once

#include <stddef.h>

/* Answers a message: how much it has written to `out`, of SIGNER_MESSAGE_MAX bytes; 0: that is none
 * of our protocol, and the channel ends. Any thread. */
typedef size_t signer_answer_fn(const void *packet, size_t n, void *out);

/* Before there is any secret: nobody without CAP_SYS_PTRACE reads this process's memory from then
 * on, it leaves no core, is not swapped out, and gains no rights. */
void signer_protect(void);
/* Until the control socket ends. Then there may be threads that are in the middle of an answer. */
void signer_channels_serve(int control, signer_answer_fn *answer);
