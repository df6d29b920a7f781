/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The relay: what an edge has in the place of the signer (edge/keys/signer.h) when its keys are on
 * another machine. It has no key of a certificate, but what the edge shows to perigee-keys, and
 * passes on what may be asked there, and the answers. Threads and end are those of the signer, but
 * for one more for each perigee-keys (edge/keys/remote/keys_server.h).
 */
#pragma once

/* More would be asked in vain one after the other. */
#define EDGE_RELAY_SERVERS_MAX 8

/* How long it may take to answer: two servers, one after the other. Whoever waits for the relay has
 * to wait for longer. */
#define EDGE_RELAY_ASK_MS 4000

/* As argv[0] of the program: it is to be the relay. */
#define EDGE_RELAY_NAME "perigee-relay"

/* All of main() then: arguments are the descriptor of the control socket, the servers (with a space
 * between them), and the files of the edge's certificate, its key, and the authority. */
int edge_relay_main(int argc, char **argv);
