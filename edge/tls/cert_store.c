/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Pairs that were loaded before, by the names of their files, and loading the others. A pair whose
 * files are as they were is taken as it is: so a reload costs what has changed. One whose files are
 * of no use now stays, with a word: a certificate may be there before its key is.
 *
 * A pair costs a millisecond or more, most of it for its key: threads share the work. The store
 * itself is the jobs' thread's.
 */
#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/diag.h"
#include "core/base/check.h"
#include "core/base/progress.h"
#include "core/base/thread.h"
#include "edge/tls/certs_internal.h"

/* More would wait for each other's memory; and fewer than so many pairs are no work for two. */
#define THREADS_MAX 16
#define PAIRS_PER_THREAD 32

struct edge_cert_store {
	struct cert_pair **v; /* by the names of their files */
	unsigned n;
};

struct edge_cert_store *edge_cert_store_create(void)
{
	return xcalloc(1, sizeof(struct edge_cert_store));
}

static void empty(struct edge_cert_store *store)
{
	for (unsigned i = 0; i < store->n; i++)
		cert_pair_unref(&store->v[i]);
	free(store->v);
	store->v = NULL;
	store->n = 0;
}

void edge_cert_store_destroy(struct edge_cert_store **storep)
{
	struct edge_cert_store *store = TAKE(storep);

	empty(store);
	free(store);
}

static int by_files(const void *left, const void *right)
{
	const struct cert_pair *a = *(struct cert_pair *const *)left,
			       *b = *(struct cert_pair *const *)right;
	int order = strcmp(a->certificate, b->certificate);

	return order != 0 ? order : strcmp(a->key_file, b->key_file);
}

/* Those of a view, in place of those before. */
static void keep_all(struct edge_cert_store *store, const struct edge_certs *certs)
{
	empty(store);
	store->v = xcalloc(certs->n_certs + 1, sizeof(struct cert_pair *));
	for (unsigned i = 0; i < certs->n_certs; i++)
		store->v[store->n++] = cert_pair_ref(certs->certs[i].pair);
	qsort(store->v, store->n, sizeof(struct cert_pair *), by_files);
}

static struct cert_pair *find(const struct edge_cert_store *store,
			      const struct cfg_certificate *cfg)
{
	struct cert_pair sought = {.certificate = (char *)cfg->certificate,
				   .key_file = (char *)cfg->key},
			 *key = &sought, **found;

	if (store == NULL || store->n == 0)
		return NULL;
	found = bsearch(&key, store->v, store->n, sizeof(struct cert_pair *), by_files);
	return found != NULL ? *found : NULL;
}

/* What the threads share. */
struct work {
	const struct edge_cert_store *store;
	struct edge_certs *certs;
	struct cert_complaints complaints;
	struct file_notes *notes;
	atomic_uint next;
};

static void load_one(struct work *work, struct cert *cert)
{
	struct cert_pair *before = find(work->store, cert->cfg);

	if (before != NULL && cert_pair_is_current(before)) {
		cert->pair = cert_pair_ref(before);
		return;
	}
	cert->pair =
	    cert_pair_load(work->certs->keys, cert->cfg, &work->complaints, before != NULL);
	if (cert->pair != NULL || before == NULL)
		return;
	cert->pair = cert_pair_ref(before);
	cert->kept = true;
}

static void *run(void *arg)
{
	struct work *work = arg;
	unsigned n = work->certs->n_certs, i;

	file_notes_begin(work->notes);
	while ((i = atomic_fetch_add(&work->next, 1)) < n) {
		progress_say("certificate %u of %u", i + 1, n);
		load_one(work, &work->certs->certs[i]);
	}
	return NULL;
}

/* Who asks another machine for each key waits for it, and needs no processor for that. */
static unsigned most_threads(const struct work *work)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (edge_keys_are_remote(work->certs->keys))
		return THREADS_MAX;
	return (unsigned)MAX(MIN(processors - 1, THREADS_MAX), 0);
}

/* The calling thread, and so many more as are worth it and can be had. */
static void run_all(struct work *work)
{
	pthread_t threads[THREADS_MAX];
	unsigned n = 0, wanted = MIN(work->certs->n_certs / PAIRS_PER_THREAD, most_threads(work));

	while (n < wanted && thread_start(&threads[n], "certificates", run, work) == 0)
		n++;
	run(work);
	while (n > 0)
		CHECK(pthread_join(threads[--n], NULL) == 0);
}

bool cert_store_load(struct edge_cert_store *store, struct edge_certs *certs, struct diag *diag)
{
	struct work work = {.store = store,
			    .certs = certs,
			    .complaints = {.diag = diag},
			    .notes = file_notes_current()};
	bool ok = true;

	CHECK(pthread_mutex_init(&work.complaints.lock, NULL) == 0);
	run_all(&work);
	pthread_mutex_destroy(&work.complaints.lock);
	for (unsigned i = 0; i < certs->n_certs; i++) {
		const struct cert *cert = &certs->certs[i];

		ok &= cert->pair != NULL;
		if (cert->kept)
			diag_warn(diag, cert->cfg->place,
				  "%s: the certificate that was there before stays",
				  cert->cfg->certificate);
	}
	if (ok && store != NULL)
		keep_all(store, certs);
	return ok;
}
