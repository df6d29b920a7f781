/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The edge's end of the signer's protocol. Each thread that asks has a channel of its own, opened
 * when it first asks; a signer that was started anew is found by itself. Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "edge/keys/signer_keeper.h"
#include "edge/keys/signer_message.h"

/* How long anybody waits for a signature; for a key that is loaded, and for a relay, which has a
 * time of its own (EDGE_RELAY_ASK_MS), it is longer. The one who has
 * waited in vain has the signer started anew: a handshake that fails after that is not the only one
 * that would. */
#define SIGNER_PATIENCE_MS 2000

struct signer_link;

/* Over the keeper's socket, which it takes: has it start the signer, and waits until it can be
 * asked. NULL, and why in *error (malloc'd). Blocking. */
struct signer_link *signer_link_create(int keeper, const struct signer_settings *settings,
				       char **error);
/* No other thread that has asked may be left. */
void signer_link_destroy(struct signer_link **link);

enum signer_call {
	SIGNER_ANSWERED,
	SIGNER_NO_ANSWER, /* it is gone, or hangs */
	SIGNER_ANOTHER,   /* not the one that was meant: it knows no key of its predecessor */
};

/* Asks the signer of generation *generation; 0: whichever there is, which is then told in it. The
 * response points into `packet`, of SIGNER_MESSAGE_MAX bytes. */
enum signer_call signer_link_ask(struct signer_link *link, const struct signer_request *request,
				 uint32_t *generation, void *packet,
				 struct signer_response *response);

/* Readable when there is something for signer_link_attend(), which says in the log that another
 * signer was started; false when there will never be one again. Never blocks. */
int signer_link_keeper(const struct signer_link *link);
bool signer_link_attend(struct signer_link *link);

struct signer_link_counts {
	uint64_t signatures, refused, limited, failed;
	uint64_t away;       /* no machine that has keys has answered */
	bool is_away;        /* which was so the last time */
	uint64_t unanswered; /* requests, of any kind */
	uint32_t generation;
};
struct signer_link_counts signer_link_counts(struct signer_link *link);
