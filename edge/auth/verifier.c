/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The table of what was right, and the jobs that find out. A job owns copies of all it works on:
 * the view that the hash came from may be gone before it ends.
 */
#define LOG_MODULE LOG_EXCHANGE
#include "edge/auth/verifier.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/loop/job.h"
#include "edge/auth/password.h"

#define MAC_BYTES 32
/* 1024 of 48 bytes; four places for each hash of it. */
#define SETS 256
#define WAYS 4
/* How long what was right is taken for right: a client of a page asks some dozen times at once. */
#define RIGHT_FOR DUR_S(600)
/* With bcrypt's usual cost (5 of htpasswd, 10 of others) the last one waits a second, or five. */
#define WAITING_MAX 64
/* One that stays and guesses leaves the other places to others. */
#define WAITING_OF_ONE_MAX (WAITING_MAX / 4)

struct right {
	unsigned char mac[MAC_BYTES];
	mono_time until; /* ns == 0: empty */
};

struct edge_verifier {
	struct loop *loop;
	struct jobs *jobs; /* NULL: none was needed so far */
	LIST_HEAD(, edge_verification) waiting;
	unsigned n_waiting;
	unsigned char key[MAC_BYTES];
	struct right table[SETS][WAYS];
};

struct edge_verification {
	struct job job;
	/* The loop's. */
	struct edge_verifier *verifier;
	LIST_ENTRY(edge_verification) link;
	struct net_prefix client;
	void (*told)(void *arg, bool right); /* NULL: nobody wants to know */
	void *arg;
	bool known;
	unsigned char mac[MAC_BYTES];
	/* Both's: who has gone must not cost the others the time that looking would take. */
	_Atomic bool unwanted;
	/* The job's. */
	char password[EDGE_CREDENTIALS_MAX + 1];
	char hash[EDGE_PASSWORD_HASH_MAX + 1];
	char decoy[EDGE_PASSWORD_HASH_MAX + 1]; /* "" for none */
	bool right;
};

struct edge_verifier *edge_verifier_create(struct loop *loop)
{
	struct edge_verifier *v = xcalloc(1, sizeof(*v));

	v->loop = loop;
	CHECK(gnutls_rnd(GNUTLS_RND_KEY, v->key, sizeof(v->key)) == 0);
	return v;
}

void edge_verifier_destroy(struct edge_verifier **vp)
{
	struct edge_verifier *v = TAKE(vp);

	if (!v)
		return;
	if (v->jobs) {
		jobs_finish(v->jobs);
		jobs_destroy(&v->jobs);
	}
	explicit_bzero(v, sizeof(*v));
	free(v);
}

/* The table */

static unsigned char *put(unsigned char *p, const void *data, size_t n)
{
	uint32_t size = (uint32_t)n;

	p = mempcpy(p, &size, sizeof(size));
	return n > 0 ? mempcpy(p, data, n) : p;
}

static bool make_mac(const struct edge_verifier *v, const struct edge_credentials *c,
		     unsigned char mac[MAC_BYTES])
{
	unsigned char text[EDGE_CREDENTIALS_MAX + EDGE_PASSWORD_HASH_MAX + 16], *p = text;
	int code;

	p = put(p, c->name.p, c->name.n);
	p = put(p, c->password.p, c->password.n);
	p = put(p, c->hash, strlen(c->hash));
	code = gnutls_hmac_fast(GNUTLS_MAC_SHA256, v->key, sizeof(v->key), text, (size_t)(p - text),
				mac);
	explicit_bzero(text, sizeof(text));
	return code == 0;
}

static struct right *set_of(struct edge_verifier *v, const unsigned char mac[MAC_BYTES])
{
	return v->table[mac[0] % SETS];
}

static bool was_right(struct edge_verifier *v, const unsigned char mac[MAC_BYTES])
{
	struct right *set = set_of(v, mac);

	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].until.ns != 0 && gnutls_memcmp(set[i].mac, mac, MAC_BYTES) == 0)
			return !mono_reached(set[i].until, loop_now(v->loop));
	}
	return false;
}

/* In place of itself, or of the one that would be forgotten next. */
static void remember(struct edge_verifier *v, const unsigned char mac[MAC_BYTES])
{
	struct right *set = set_of(v, mac), *place = &set[0];

	for (unsigned i = 0; i < WAYS; i++) {
		if (gnutls_memcmp(set[i].mac, mac, MAC_BYTES) == 0) {
			place = &set[i];
			break;
		}
		if (set[i].until.ns < place->until.ns)
			place = &set[i];
	}
	memcpy(place->mac, mac, MAC_BYTES);
	place->until = mono_add(loop_now(v->loop), RIGHT_FOR);
}

/* The job */

static void free_verification(struct edge_verification *one)
{
	LIST_REMOVE(one, link);
	one->verifier->n_waiting--;
	explicit_bzero(one, sizeof(*one));
	free(one);
}

static void run(struct job *job)
{
	struct edge_verification *one = CONTAINER_OF(job, struct edge_verification, job);

	if (!atomic_load(&one->unwanted)) {
		one->right = edge_password_matches(one->password, one->hash);
		if (!one->right && one->decoy[0] != '\0')
			edge_password_matches(one->password, one->decoy);
	}
	explicit_bzero(one->password, sizeof(one->password));
}

static void done(struct job *job)
{
	struct edge_verification *one = CONTAINER_OF(job, struct edge_verification, job);
	bool right = one->right && one->known;

	if (right)
		remember(one->verifier, one->mac);
	if (one->told)
		one->told(one->arg, right);
	free_verification(one);
}

static void discard(struct job *job)
{
	free_verification(CONTAINER_OF(job, struct edge_verification, job));
}

static bool have_thread(struct edge_verifier *v)
{
	if (!v->jobs)
		v->jobs = jobs_create(v->loop, "passwords");
	return v->jobs != NULL;
}

/* Whether it can be looked at at all. */
static bool is_sane(const struct edge_credentials *c)
{
	return c->name.n + c->password.n <= EDGE_CREDENTIALS_MAX &&
	       (c->password.n == 0 || !memchr(c->password.p, '\0', c->password.n));
}

static bool has_place(const struct edge_verifier *v, const struct net_prefix *client)
{
	const struct edge_verification *one;
	unsigned n = 0;

	LIST_FOREACH (one, &v->waiting, link)
		n += memcmp(&one->client, client, sizeof(*client)) == 0;
	return v->n_waiting < WAITING_MAX && n < WAITING_OF_ONE_MAX;
}

enum edge_verdict edge_verify(struct edge_verifier *v, const struct edge_credentials *c,
			      void (*told)(void *arg, bool right), void *arg,
			      struct edge_verification **verification)
{
	static const struct job_ops ops = {run, done, discard};
	struct edge_verification *one;
	unsigned char mac[MAC_BYTES];

	if (!is_sane(c) || !make_mac(v, c, mac))
		return EDGE_VERDICT_WRONG;
	if (c->known && was_right(v, mac))
		return EDGE_VERDICT_RIGHT;
	if (!has_place(v, &c->client) || !have_thread(v))
		return EDGE_VERDICT_BUSY;
	one = calloc(1, sizeof(*one));
	if (!one)
		return EDGE_VERDICT_BUSY;
	one->verifier = v;
	one->told = told;
	one->arg = arg;
	one->known = c->known;
	memcpy(one->mac, mac, MAC_BYTES);
	if (c->password.n > 0)
		memcpy(one->password, c->password.p, c->password.n);
	strcpy(one->hash, c->hash);
	if (c->decoy)
		strcpy(one->decoy, c->decoy);
	one->client = c->client;
	LIST_INSERT_HEAD(&v->waiting, one, link);
	v->n_waiting++;
	job_start(v->jobs, &one->job, &ops);
	*verification = one;
	return EDGE_VERDICT_WAITS;
}

void edge_verification_cancel(struct edge_verification **verification)
{
	struct edge_verification *one = TAKE(verification);

	if (!one)
		return;
	one->told = NULL;
	atomic_store(&one->unwanted, true);
}
