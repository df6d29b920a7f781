/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The threads, their queue, and the way back. Steps that have been run wait in a list of their
 * lender, and the mail only says that there are some, so that none is lost when the loop ends
 * before the mail is read: such a mail finds the lender ended, and is what frees it.
 */
#define LOG_MODULE LOG_TLS
#include "core/net/handshakes.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/base/thread.h"

#define HANDSHAKES_MAGIC 0x48735468u
#define LENDER_MAGIC 0x48734c6eu

TAILQ_HEAD(step_list, handshake_step);

struct handshakes {
	unsigned magic;
	unsigned n_threads;
	pthread_t *threads;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Under the lock. */
	struct step_list queue;
	bool stopped;
	unsigned n_lenders;
};

struct handshake_lender {
	unsigned magic;
	struct handshakes *handshakes;
	struct loop *loop; /* not touched by the threads once nothing is lent */
	/* The loop's. */
	unsigned n_lent;
	/* Under the lock. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct step_list ended;
	unsigned references; /* the loop's, that of a mail on its way */
};

/* The way back */

/* With the lock held, which is released. */
static void unref_and_unlock(struct handshake_lender *lender)
{
	bool last = --lender->references == 0;

	pthread_mutex_unlock(&lender->lock);
	if (!last)
		return;
	pthread_cond_destroy(&lender->changed);
	pthread_mutex_destroy(&lender->lock);
	lender->magic = MAGIC_DEAD;
	free(lender);
}

/* What has ended by now; more comes with its own mail. */
static void take_ended(struct handshake_lender *lender, struct step_list *ended)
{
	struct handshake_step *step;

	while ((step = TAILQ_FIRST(ended)) != NULL) {
		TAILQ_REMOVE(ended, step, link);
		lender->n_lent--;
		step->back(step);
	}
}

/* On the loop. */
static void some_ended(void *arg)
{
	struct handshake_lender *lender = arg;
	struct step_list ended = TAILQ_HEAD_INITIALIZER(ended);

	MAGIC_CHECK(lender, LENDER_MAGIC);
	pthread_mutex_lock(&lender->lock);
	TAILQ_CONCAT(&ended, &lender->ended, link);
	pthread_mutex_unlock(&lender->lock);
	take_ended(lender, &ended);
	pthread_mutex_lock(&lender->lock);
	unref_and_unlock(lender);
}

static void give_back(struct handshake_step *step)
{
	struct handshake_lender *lender = step->lender;
	bool first;

	pthread_mutex_lock(&lender->lock);
	first = TAILQ_EMPTY(&lender->ended);
	TAILQ_INSERT_TAIL(&lender->ended, step, link);
	/* Inside the lock: once it is released the lender may be destroyed, and its loop end. */
	if (first) {
		lender->references++;
		loop_post_mt(lender->loop, some_ended, lender);
	}
	pthread_cond_signal(&lender->changed);
	pthread_mutex_unlock(&lender->lock);
}

/* The threads */

/* With the lock held, which is let go of meanwhile. */
static void run_first(struct handshakes *h)
{
	struct handshake_step *step = TAILQ_FIRST(&h->queue);

	TAILQ_REMOVE(&h->queue, step, link);
	step->queued = false;
	pthread_mutex_unlock(&h->lock);
	step->run(step);
	give_back(step);
	pthread_mutex_lock(&h->lock);
}

static void *thread_main(void *arg)
{
	struct handshakes *h = arg;

	MAGIC_CHECK(h, HANDSHAKES_MAGIC);
	/* Linux takes 0 for the calling thread alone. It is no harm where it is not allowed. */
	setpriority(PRIO_PROCESS, 0, HANDSHAKES_NICE);
	pthread_mutex_lock(&h->lock);
	while (!h->stopped) {
		if (TAILQ_EMPTY(&h->queue))
			pthread_cond_wait(&h->changed, &h->lock);
		else
			run_first(h);
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

static bool start_thread(struct handshakes *h)
{
	char name[32];
	int error;

	snprintf(name, sizeof(name), "handshake%u", h->n_threads + 1);
	error = thread_start(&h->threads[h->n_threads], name, thread_main, h);
	if (error < 0)
		log_error("cannot start a thread for handshakes: %s", strerrordesc_np(-error));
	else
		h->n_threads++;
	return error == 0;
}

struct handshakes *handshakes_create(unsigned n_threads)
{
	struct handshakes *h = xcalloc(1, sizeof(*h));

	CHECK(n_threads > 0 && n_threads <= HANDSHAKES_THREADS_MAX);
	h->magic = HANDSHAKES_MAGIC;
	h->threads = xcalloc(n_threads, sizeof(*h->threads));
	TAILQ_INIT(&h->queue);
	CHECK(pthread_mutex_init(&h->lock, NULL) == 0);
	CHECK(pthread_cond_init(&h->changed, NULL) == 0);
	while (h->n_threads < n_threads && start_thread(h))
		;
	if (h->n_threads < n_threads)
		handshakes_destroy(&h);
	return h;
}

void handshakes_destroy(struct handshakes **handshakes)
{
	struct handshakes *h = TAKE(handshakes);

	if (!h)
		return;
	MAGIC_CHECK(h, HANDSHAKES_MAGIC);
	pthread_mutex_lock(&h->lock);
	CHECK(h->n_lenders == 0 && TAILQ_EMPTY(&h->queue));
	h->stopped = true;
	pthread_cond_broadcast(&h->changed);
	pthread_mutex_unlock(&h->lock);
	for (unsigned i = 0; i < h->n_threads; i++)
		CHECK(pthread_join(h->threads[i], NULL) == 0);
	pthread_cond_destroy(&h->changed);
	pthread_mutex_destroy(&h->lock);
	h->magic = MAGIC_DEAD;
	free(h->threads);
	free(h);
}

/* Lenders */

static void count_lender(struct handshakes *h, int n)
{
	pthread_mutex_lock(&h->lock);
	h->n_lenders += (unsigned)n;
	pthread_mutex_unlock(&h->lock);
}

struct handshake_lender *handshake_lender_create(struct handshakes *h, struct loop *loop)
{
	struct handshake_lender *lender = xcalloc(1, sizeof(*lender));

	MAGIC_CHECK(h, HANDSHAKES_MAGIC);
	lender->magic = LENDER_MAGIC;
	lender->handshakes = h;
	lender->loop = loop;
	lender->references = 1;
	TAILQ_INIT(&lender->ended);
	CHECK(pthread_mutex_init(&lender->lock, NULL) == 0);
	CHECK(pthread_cond_init(&lender->changed, NULL) == 0);
	count_lender(h, 1);
	return lender;
}

void handshake_lender_destroy(struct handshake_lender **lenderp)
{
	struct handshake_lender *lender = TAKE(lenderp);

	if (!lender)
		return;
	MAGIC_CHECK(lender, LENDER_MAGIC);
	LOOP_ASSERT_OWNER(lender->loop);
	while (lender->n_lent > 0) {
		struct step_list ended = TAILQ_HEAD_INITIALIZER(ended);

		pthread_mutex_lock(&lender->lock);
		while (TAILQ_EMPTY(&lender->ended))
			pthread_cond_wait(&lender->changed, &lender->lock);
		TAILQ_CONCAT(&ended, &lender->ended, link);
		pthread_mutex_unlock(&lender->lock);
		take_ended(lender, &ended);
	}
	count_lender(lender->handshakes, -1);
	pthread_mutex_lock(&lender->lock);
	unref_and_unlock(lender);
}

void handshake_lend(struct handshake_lender *lender, struct handshake_step *step)
{
	struct handshakes *h = lender->handshakes;

	MAGIC_CHECK(lender, LENDER_MAGIC);
	LOOP_ASSERT_OWNER(lender->loop);
	step->lender = lender;
	lender->n_lent++;
	pthread_mutex_lock(&h->lock);
	step->queued = true;
	TAILQ_INSERT_TAIL(&h->queue, step, link);
	pthread_mutex_unlock(&h->lock);
	pthread_cond_signal(&h->changed);
}

bool handshake_take_back(struct handshake_step *step)
{
	struct handshake_lender *lender = step->lender;
	struct handshakes *h = lender->handshakes;
	bool taken;

	MAGIC_CHECK(lender, LENDER_MAGIC);
	LOOP_ASSERT_OWNER(lender->loop);
	pthread_mutex_lock(&h->lock);
	taken = step->queued;
	if (taken)
		TAILQ_REMOVE(&h->queue, step, link);
	step->queued = false;
	pthread_mutex_unlock(&h->lock);
	lender->n_lent -= taken;
	return taken;
}
