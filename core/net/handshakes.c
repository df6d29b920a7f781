/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The threads, their queue, and the way back. Steps that have been run lie on a stack of their
 * lender, and an eventfd tells its loop that there are some. No lock is held while it is written:
 * where processors are short the loop, which is woken by it, takes that of the thread at once, and
 * would wait for the lock (measured on one processor: 140 us a handshake more, by eight changes of
 * threads in place of one). As a thread may be anywhere in there when the loop finds the step and
 * ends, what both touch is kept until the threads have ended.
 */
#define LOG_MODULE LOG_TLS
#include "core/net/handshakes.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

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
	unsigned n_lenders;                     /* that have not ended */
	SLIST_HEAD(, handshake_lender) lenders; /* all that there were */
};

struct handshake_lender {
	unsigned magic;
	struct handshakes *handshakes;
	SLIST_ENTRY(handshake_lender) link;
	int fd; /* of the eventfd */
	/* The loop's; NULL when it has ended. */
	struct loop *loop;
	struct event *event;
	unsigned n_lent;
	/* The threads' and the loop's: the last one that was run. */
	_Atomic(struct handshake_step *) ended;
};

/* The way back */

/* Each in the order of its run. */
static void take_ended(struct handshake_lender *lender)
{
	struct handshake_step *step =
	    atomic_exchange_explicit(&lender->ended, NULL, memory_order_acquire);
	struct handshake_step *first = NULL, *next;

	for (; step; step = next) {
		next = step->before;
		step->before = first;
		first = step;
	}
	for (step = first; step; step = next) {
		next = step->before;
		lender->n_lent--;
		step->back(step);
	}
}

static void event_cb(evutil_socket_t fd, short what, void *arg)
{
	struct handshake_lender *lender = arg;
	uint64_t n;

	MAGIC_CHECK(lender, LENDER_MAGIC);
	/* Before they are taken: what ends in between only wakes us once too often. */
	if (read(fd, &n, sizeof(n)) < 0)
		CHECK(errno == EAGAIN || errno == EINTR);
	take_ended(lender);
}

static void give_back(struct handshake_step *step)
{
	struct handshake_lender *lender = step->lender;
	const uint64_t one = 1;

	/* Once it is there, the step is the loop's. */
	struct handshake_step *before = atomic_load_explicit(&lender->ended, memory_order_relaxed);
	do {
		step->before = before;
	} while (!atomic_compare_exchange_weak_explicit(
	    &lender->ended, &before, step, memory_order_release, memory_order_relaxed));
	if (!before)
		CHECK(write(lender->fd, &one, sizeof(one)) == sizeof(one));
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
	setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + HANDSHAKES_NICE);
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
	SLIST_INIT(&h->lenders);
	CHECK(pthread_mutex_init(&h->lock, NULL) == 0);
	CHECK(pthread_cond_init(&h->changed, NULL) == 0);
	while (h->n_threads < n_threads && start_thread(h))
		;
	if (h->n_threads < n_threads)
		handshakes_destroy(&h);
	return h;
}

static void lenders_free(struct handshakes *h)
{
	struct handshake_lender *lender;

	while ((lender = SLIST_FIRST(&h->lenders))) {
		SLIST_REMOVE_HEAD(&h->lenders, link);
		close(lender->fd);
		lender->magic = MAGIC_DEAD;
		free(lender);
	}
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
	lenders_free(h);
	pthread_cond_destroy(&h->changed);
	pthread_mutex_destroy(&h->lock);
	h->magic = MAGIC_DEAD;
	free(h->threads);
	free(h);
}

/* Lenders */

struct handshake_lender *handshake_lender_create(struct handshakes *h, struct loop *loop)
{
	struct handshake_lender *lender = xcalloc(1, sizeof(*lender));

	MAGIC_CHECK(h, HANDSHAKES_MAGIC);
	LOOP_ASSERT_OWNER(loop);
	lender->magic = LENDER_MAGIC;
	lender->handshakes = h;
	lender->loop = loop;
	lender->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (lender->fd < 0) {
		log_error("cannot have handshakes on threads: %s", strerrordesc_np(errno));
		free(lender);
		return NULL;
	}
	lender->event =
	    event_new(loop_base(loop), lender->fd, EV_READ | EV_PERSIST, event_cb, lender);
	CHECK(lender->event != NULL && event_add(lender->event, NULL) == 0);
	pthread_mutex_lock(&h->lock);
	h->n_lenders++;
	SLIST_INSERT_HEAD(&h->lenders, lender, link);
	pthread_mutex_unlock(&h->lock);
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
		struct pollfd pollfd = {.fd = lender->fd, .events = POLLIN};

		if (poll(&pollfd, 1, -1) > 0)
			event_cb(lender->fd, EV_READ, lender);
	}
	event_free(lender->event);
	lender->event = NULL;
	lender->loop = NULL;
	pthread_mutex_lock(&lender->handshakes->lock);
	lender->handshakes->n_lenders--;
	pthread_mutex_unlock(&lender->handshakes->lock);
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
