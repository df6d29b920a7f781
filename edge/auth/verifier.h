/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Checks passwords for one worker: those that were right lately by a table, all others on a thread
 * of its own, since each takes milliseconds. The table knows keyed hashes only, of name, password
 * and stored hash together: what is changed in the configuration is not known any more. All
 * functions belong to the worker's loop.
 */
#pragma once

#include "core/base/addr.h"
#include "core/http/message.h"
#include "core/loop/loop.h"

struct edge_verification;
struct edge_verifier;

/* Longer ones are wrong. */
#define EDGE_CREDENTIALS_MAX 1024

struct edge_credentials {
	struct span name, password; /* no NUL in them */
	const char *hash;           /* what the password is checked against */
	const char *decoy;          /* and if it is wrong, for the time it takes; or NULL */
	bool known;                 /* false: it is wrong, whatever comes out */
	struct net_prefix client;   /* who asks: edge_client_network() */
};

enum edge_verdict {
	EDGE_VERDICT_RIGHT,
	EDGE_VERDICT_WRONG,
	EDGE_VERDICT_WAITS, /* told later */
	EDGE_VERDICT_BUSY,  /* too many wait, in all or of that client */
};

/* Its thread is started when it is needed. */
struct edge_verifier *edge_verifier_create(struct loop *loop);
/* Waits for the check that is under way; nobody is told anything any more. */
void edge_verifier_destroy(struct edge_verifier **verifier);

/* EDGE_VERDICT_WAITS: *verification is there until told() is called, or it is cancelled. */
enum edge_verdict edge_verify(struct edge_verifier *verifier,
			      const struct edge_credentials *credentials,
			      void (*told)(void *arg, bool right), void *arg,
			      struct edge_verification **verification);
/* Nobody wants to know any more. */
void edge_verification_cancel(struct edge_verification **verification);
