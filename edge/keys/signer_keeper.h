/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The signer's keeper: a process that starts the signer (edge/keys/signer.h), or the relay to
 * another machine's, and starts another when that one has died or is said to hang. It is forked
 * before the edge has threads or has given up any right, has no key itself, and does only what can
 * do no harm for whoever has taken the edge. It ends with the edge, and the signer with it.
 */
#pragma once

#include <stdint.h>

/* Keeper to edge, with the control socket of the signer that was just started. */
struct signer_started {
	uint32_t generation; /* 1, 2, 3 ... */
	int32_t ended;       /* how the one before did, as waitpid() says it */
};

/* Edge to keeper: first how signers are to be started, which cannot be said again. */
struct signer_settings {
	uint32_t signatures; /* in so many seconds at most; 0: no limit */
	uint32_t seconds;
	char config[4096]; /* the file that names the keys; "": any key may be loaded */
	/* What a relay (edge/keys/remote/relay.h) is started with in the signer's place; all "":
	 * none. */
	struct {
		char servers[4096]; /* with a space between them */
		char certificate[4096], key[4096], ca[4096];
	} relay;
};
/* Then that the signer of that generation hangs. */
struct signer_hangs {
	uint32_t generation;
};

/* Forks the keeper, which waits for its settings, and ends when the socket (SOCK_SEQPACKET, that is
 * returned) is closed. -errno when it cannot. Only while the process has one thread. */
int edge_signer_keep(void);
