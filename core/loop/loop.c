/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The event loop: turns, mailbox, deferred and background tasks. Everything here belongs to the
 * loop's thread, except the mailbox (under its lock) and the owner mark (atomic).
 *
 * libevent is used without any locking of its own: no other thread ever touches the base.
 */
#include "core/loop/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/base/thread.h"
#include "core/loop/loop_internal.h"

#define LOOP_MAGIC 0x4c6f6f70u

/* Deferred tasks may defer others, usually one step of destruction each. What goes on for longer
 * than this waits for the next turn, so that events are not kept out. */
#define DEFERRED_PASSES 8

enum { DEFERRED, LAST, BACKGROUND, N_LISTS };

struct mail {
	STAILQ_ENTRY(mail) link;
	void (*fn)(void *arg);
	void *arg;
};
STAILQ_HEAD(mail_list, mail);
TAILQ_HEAD(task_list, loop_task);

struct loop {
	unsigned magic;
	/* immutable */
	char name[16]; /* what the kernel takes as a thread name */
	unsigned index;
	struct event_base *base;
	struct event *wake_ev;
	int wake_fd;
	/* owner only */
	struct task_list tasks[N_LISTS];
	uint64_t turn;
	mono_time now; /* ns == 0: not read yet in this turn */
	bool in_turn;
	bool woken;
	bool stop;
	/* whoever starts and joins it */
	pthread_t thread;
	bool has_thread;
	/* any thread: the address of the owner's `self` below; NULL while the loop is not running
	 */
	_Atomic(const char *) owner;
	/* under mail_lock */
	pthread_mutex_t mail_lock;
	struct mail_list mail;
};

/* Its address names a thread. */
static _Thread_local char self;
/* The owner between loop_start() and the first instruction of the new thread: nobody. */
static const char starting;

static void wake_cb(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;
	uint64_t n;

	MAGIC_CHECK(loop, LOOP_MAGIC);
	/* Reading before taking the mail: a post in between only wakes us once too often. */
	if (read(fd, &n, sizeof(n)) < 0)
		CHECK(errno == EAGAIN || errno == EINTR);
	loop->woken = true;
}

/* What libevent has to say would go to standard error at once, and wait for who reads it. */
static void libevent_says(int severity, const char *message)
{
	if (severity == EVENT_LOG_ERR || severity == EVENT_LOG_WARN)
		log_warn("libevent: %s", message);
}

struct loop *loop_create_indexed(const char *name, unsigned index)
{
	struct loop *loop = xcalloc(1, sizeof(*loop));
	struct event_config *config = event_config_new();

	event_set_log_callback(libevent_says);
	loop->magic = LOOP_MAGIC;
	loop->index = index;
	snprintf(loop->name, sizeof(loop->name), "%s", name);
	for (int i = 0; i < N_LISTS; i++)
		TAILQ_INIT(&loop->tasks[i]);
	STAILQ_INIT(&loop->mail);
	CHECK(pthread_mutex_init(&loop->mail_lock, NULL) == 0);

	/* Not EVENT_BASE_FLAG_PRECISE_TIMER: with epoll it costs a timerfd_settime() a turn, and
	 * nothing here needs better than a few milliseconds. */
	CHECK(config != NULL);
	CHECK(event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0);
	loop->base = event_base_new_with_config(config);
	event_config_free(config);
	loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (loop->base == NULL || loop->wake_fd < 0) {
		/* Only at start-up, and nothing can run without. */
		log_error("cannot create event loop %s: %s", name, strerror(errno));
		exit(1);
	}
	loop->wake_ev = event_new(loop->base, loop->wake_fd, EV_READ | EV_PERSIST, wake_cb, loop);
	CHECK(loop->wake_ev != NULL && event_add(loop->wake_ev, NULL) == 0);
	return loop;
}

struct loop *loop_create(const char *name)
{
	return loop_create_indexed(name, 0);
}

static void take_mail(struct loop *loop, struct mail_list *taken)
{
	STAILQ_INIT(taken);
	pthread_mutex_lock(&loop->mail_lock);
	STAILQ_CONCAT(taken, &loop->mail);
	pthread_mutex_unlock(&loop->mail_lock);
}

/* What is posted meanwhile stays for the next time. */
static void run_mail(struct loop *loop)
{
	struct mail_list taken;
	struct mail *m;

	take_mail(loop, &taken);
	while ((m = STAILQ_FIRST(&taken)) != NULL) {
		void (*fn)(void *) = m->fn;
		void *arg = m->arg;

		STAILQ_REMOVE_HEAD(&taken, link);
		free(m);
		fn(arg);
	}
}

static void run_first(struct task_list *list)
{
	struct loop_task *task = TAILQ_FIRST(list);

	TAILQ_REMOVE(list, task, link);
	task->queued = false;
	task->run(task); /* may free it */
}

/* What is in the list now, not what is added meanwhile, until `enough` says so after a task. */
static void run_pass(struct task_list *list, bool (*enough)(void *arg), void *arg)
{
	struct loop_task end = {0};

	/* A marker in the list rather than a list of its own: a task that is still to run in this
	 * pass can then be cancelled like any other. */
	TAILQ_INSERT_TAIL(list, &end, link);
	while (TAILQ_FIRST(list) != &end) {
		run_first(list);
		if (enough && enough(arg))
			break;
	}
	TAILQ_REMOVE(list, &end, link);
}

static void run_deferred(struct loop *loop)
{
	for (int n = 0; n < DEFERRED_PASSES && !TAILQ_EMPTY(&loop->tasks[DEFERRED]); n++)
		run_pass(&loop->tasks[DEFERRED], NULL, NULL);
	run_pass(&loop->tasks[LAST], NULL, NULL);
}

struct background_share {
	unsigned n; /* tasks that ran */
	mono_time began;
	duration time;
};

static bool background_had_its_share(void *arg)
{
	struct background_share *share = arg;

	return ++share->n >= LOOP_BACKGROUND_PER_TURN &&
	       mono_since(clock_mono(), share->began).ns >= share->time.ns;
}

/* The turn has gone on since `began`; ns == 0: it is not known for how long. */
static void run_background(struct loop *loop, mono_time began)
{
	struct background_share share = {0};

	/* The clock is read only for those who need it. */
	if (TAILQ_EMPTY(&loop->tasks[BACKGROUND]))
		return;
	share.began = clock_mono();
	if (began.ns != 0)
		share.time = DUR_NS(mono_since(share.began, began).ns / 2);
	run_pass(&loop->tasks[BACKGROUND], background_had_its_share, &share);
}

static bool has_tasks(const struct loop *loop)
{
	for (int i = 0; i < N_LISTS; i++) {
		if (!TAILQ_EMPTY(&loop->tasks[i]))
			return true;
	}
	return false;
}

static void turn(struct loop *loop)
{
	int flags = EVLOOP_ONCE | (has_tasks(loop) ? EVLOOP_NONBLOCK : 0);
	bool background_waits = !TAILQ_EMPTY(&loop->tasks[BACKGROUND]);
	mono_time began = background_waits ? clock_mono() : (mono_time){0};

	loop->turn++;
	/* Read again at its first use, which comes after the wait. */
	loop->now.ns = 0;
	loop->in_turn = true;
	CHECK(event_base_loop(loop->base, flags) == 0);
	if (loop->woken) {
		loop->woken = false;
		run_mail(loop);
	}
	run_deferred(loop);
	/* What came in this turn, after a wait: `now` was mostly read soon after that. */
	run_background(loop, background_waits ? began : loop->now);
	run_deferred(loop);
	loop->in_turn = false;
}

static void run_turns(struct loop *loop)
{
	loop->stop = false;
	while (!loop->stop)
		turn(loop);
}

void loop_run(struct loop *loop)
{
	MAGIC_CHECK(loop, LOOP_MAGIC);
	CHECK(atomic_load(&loop->owner) == NULL);
	atomic_store(&loop->owner, &self);
	run_turns(loop);
	atomic_store(&loop->owner, NULL);
}

static void *thread_main(void *arg)
{
	struct loop *loop = arg;

	MAGIC_CHECK(loop, LOOP_MAGIC);
	atomic_store(&loop->owner, &self);
	run_turns(loop);
	/* It stays the owner until it is joined. */
	return NULL;
}

bool loop_start(struct loop *loop)
{
	int error;

	MAGIC_CHECK(loop, LOOP_MAGIC);
	CHECK(atomic_load(&loop->owner) == NULL);
	atomic_store(&loop->owner, &starting);
	error = thread_start(&loop->thread, loop->name, thread_main, loop);
	loop->has_thread = error == 0;
	if (error < 0) {
		atomic_store(&loop->owner, NULL);
		log_error("cannot start the thread of loop %s: %s", loop->name,
			  strerrordesc_np(-error));
	}
	return loop->has_thread;
}

void loop_join(struct loop *loop)
{
	MAGIC_CHECK(loop, LOOP_MAGIC);
	CHECK(loop->has_thread);
	CHECK(pthread_join(loop->thread, NULL) == 0);
	loop->has_thread = false;
	atomic_store(&loop->owner, NULL);
}

static void stop_now(void *arg)
{
	struct loop *loop = arg;

	loop->stop = true;
}

void loop_stop_mt(struct loop *loop)
{
	loop_post_mt(loop, stop_now, loop);
}

void loop_destroy(struct loop **loopp)
{
	struct loop *loop = TAKE(loopp);
	struct mail_list dropped;
	struct mail *m;

	if (loop == NULL)
		return;
	MAGIC_CHECK(loop, LOOP_MAGIC);
	CHECK(atomic_load(&loop->owner) == NULL);
	run_mail(loop);
	run_deferred(loop);

	take_mail(loop, &dropped);
	while ((m = STAILQ_FIRST(&dropped)) != NULL) {
		STAILQ_REMOVE_HEAD(&dropped, link);
		free(m);
	}
	event_free(loop->wake_ev);
	event_base_free(loop->base);
	close(loop->wake_fd);
	pthread_mutex_destroy(&loop->mail_lock);
	loop->magic = MAGIC_DEAD;
	free(loop);
}

bool loop_is_owner(const struct loop *loop)
{
	const char *owner = atomic_load_explicit(&loop->owner, memory_order_acquire);

	return owner == &self || owner == NULL;
}

bool loop_is_in_turn(const struct loop *loop)
{
	return loop->in_turn;
}

struct event_base *loop_base(struct loop *loop)
{
	return loop->base;
}

mono_time loop_now(const struct loop *loop)
{
	struct loop *cache = (struct loop *)loop; /* what it remembers is not part of its value */

	if (!loop->in_turn)
		return clock_mono();
	if (cache->now.ns == 0)
		cache->now = clock_mono();
	return cache->now;
}

uint64_t loop_turn(const struct loop *loop)
{
	return loop->turn;
}

unsigned loop_index(const struct loop *loop)
{
	return loop->index;
}

const char *loop_name(const struct loop *loop)
{
	return loop->name;
}

void loop_post_mt(struct loop *loop, void (*fn)(void *arg), void *arg)
{
	struct mail *m = xmalloc(sizeof(*m));
	const uint64_t one = 1;
	bool was_empty;

	m->fn = fn;
	m->arg = arg;
	pthread_mutex_lock(&loop->mail_lock);
	was_empty = STAILQ_EMPTY(&loop->mail);
	STAILQ_INSERT_TAIL(&loop->mail, m, link);
	/* Inside the lock: once it is released, a posted stop may end the loop and its descriptor.
	 */
	if (was_empty)
		CHECK(write(loop->wake_fd, &one, sizeof(one)) == sizeof(one));
	pthread_mutex_unlock(&loop->mail_lock);
}

static void queue(struct loop *loop, struct loop_task *task, unsigned char list)
{
	LOOP_ASSERT_OWNER(loop);
	if (task->queued)
		return;
	task->queued = true;
	task->list = list;
	TAILQ_INSERT_TAIL(&loop->tasks[list], task, link);
}

void loop_defer(struct loop *loop, struct loop_task *task)
{
	queue(loop, task, DEFERRED);
}

void loop_defer_last(struct loop *loop, struct loop_task *task)
{
	queue(loop, task, LAST);
}

void loop_queue_background(struct loop *loop, struct loop_task *task)
{
	queue(loop, task, BACKGROUND);
}

bool loop_background_waits(const struct loop *loop, unsigned n)
{
	const struct loop_task *task = TAILQ_FIRST(&loop->tasks[BACKGROUND]);

	for (; n > 0 && task != NULL; n--)
		task = TAILQ_NEXT(task, link);
	return n == 0;
}

void loop_task_cancel(struct loop *loop, struct loop_task *task)
{
	LOOP_ASSERT_OWNER(loop);
	if (!task->queued)
		return;
	task->queued = false;
	TAILQ_REMOVE(&loop->tasks[task->list], task, link);
}
