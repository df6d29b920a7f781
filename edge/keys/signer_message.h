/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What an edge and its signer say to each other, one packet of SOCK_SEQPACKET a message; and with
 * keys on another machine its relay and perigee-keys (edge/keys/remote/wire.h).
 *
 *	request:   version (1), verb (1), SignatureScheme (2), key (4), content
 *	response:  version (1), status (1), 0 (2), key (4), content
 *
 * The signer gives each key that it has loaded a number. On another machine keys are known by the
 * digest of their public half, which whoever has the certificate knows too: nothing need be agreed
 * on before, and whichever machine has the key can be asked.
 *
 * Numbers are in network order. Neither side trusts the other's packets: whatever does not have
 * exactly the form of its kind is no message. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/http/message.h"

#define SIGNER_HEAD 8
#define SIGNER_PATH_MAX 4095
#define SIGNER_SIGNATURE_MAX 2048 /* RSA of 16,384 bits */
#define SIGNER_TEXT_MAX 512
#define SIGNER_KEY_ID_SIZE 32
#define SIGNER_MESSAGE_MAX (SIGNER_HEAD + SIGNER_PATH_MAX)
/* The most of those that are about keys on another machine: a signature. */
#define SIGNER_REMOTE_MAX (SIGNER_HEAD + SIGNER_SIGNATURE_MAX)

enum signer_verb {
	SIGNER_OPEN = 1, /* another channel, whose end comes with it; not answered */
	SIGNER_LOAD,     /* content: a path or URL */
	SIGNER_SIGN,     /* content: what is to be signed */
	SIGNER_DROP,     /* the key is not needed any more */
	/* Of keys on another machine. */
	SIGNER_PING,
	SIGNER_FIND,       /* content: the key's id: whether it is there */
	SIGNER_SIGN_BY_ID, /* content: the key's id, and what is to be signed */
};

#define SIGNER_VERB_LAST SIGNER_SIGN_BY_ID

struct signer_request {
	enum signer_verb verb;
	uint16_t scheme;         /* SIGN, SIGN_BY_ID */
	uint32_t key;            /* SIGN, DROP; never 0 */
	const unsigned char *id; /* FIND, SIGN_BY_ID: SIGNER_KEY_ID_SIZE bytes */
	struct span content;     /* LOAD, SIGN, SIGN_BY_ID; without the id */
};

enum signer_status {
	SIGNER_OK,
	SIGNER_REFUSED, /* that may not be signed */
	SIGNER_LIMITED, /* too many signatures a second */
	SIGNER_UNKNOWN, /* there is no such key */
	SIGNER_FAILED,
	SIGNER_AWAY, /* of the relay: no machine that has keys answers */
	SIGNER_N_STATUS,
};

struct signer_response {
	enum signer_status status;
	/* LOAD: its number from now on; else that of the request, if it has one. 0 when not OK. */
	uint32_t key;
	/* Of SIGN and SIGN_BY_ID the signature. Of LOAD what kind of key it is. When not OK why, in
	 * printable ASCII; may be empty. */
	struct span content;
	/* Of LOAD. */
	uint16_t algorithm; /* gnutls_pk_algorithm_t */
	uint16_t bits;
	const unsigned char *id; /* SIGNER_KEY_ID_SIZE bytes */
};

/* Spans point into the packet. False: it is no message. */
bool signer_request_parse(struct signer_request *request, const void *packet, size_t n);
bool signer_response_parse(struct signer_response *response, enum signer_verb verb,
			   const void *packet, size_t n);

/* Into `packet`, of SIGNER_MESSAGE_MAX bytes; its size. What is too long for it is a bug, but for
 * texts, which are cut and made printable. */
size_t signer_request_write(const struct signer_request *request, void *packet);
size_t signer_response_write(const struct signer_response *response, enum signer_verb verb,
			     void *packet);
