/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The signer: a process of its own that has the private keys, reads their files, and signs what
 * edge/keys/signable.h lets pass for whoever is at the other end of its channels. It trusts nobody
 * there: what a client of the edge could do to the edge's memory does not reach the keys.
 *
 * One thread for each channel, and the main one for new channels. It listens on no address, writes
 * no file, and logs nothing; it ends when its control socket does.
 */
#pragma once

/* As argv[0] of the program: it is to be the signer. */
#define EDGE_SIGNER_NAME "perigee-signer"

/* All of main() then: arguments are the descriptor of the control socket, and how many signatures
 * it makes at most (0: no limit) in how many seconds, and the configuration that names the keys. */
int edge_signer_main(int argc, char **argv);
