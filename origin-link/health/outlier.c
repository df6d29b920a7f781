/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Outliers. Counts come from several loops, so that the order within one look is not known: a look
 * that has seen both good and bad ends a row, which the share of a window is there for.
 */
#include "origin-link/health/outlier.h"

#include <stdlib.h>

#include "core/base/check.h"

/* Below that nobody is slow, whatever the others are: it is what a hiccup of the network costs. */
#define SLOW_MIN_US 50000.0

const char *outlier_cause_text(enum outlier_cause cause)
{
	static const char *const texts[] = {
	    [OUTLIER_NONE] = "none",
	    [OUTLIER_FAILURES] = "failures-in-a-row",
	    [OUTLIER_GATEWAY_ERRORS] = "gateway-errors-in-a-row",
	    [OUTLIER_SHARE] = "share-of-failures",
	    [OUTLIER_LATENCY] = "slower-than-others",
	};

	CHECK((unsigned)cause < ARRAY_SIZE(texts));
	return texts[cause];
}

/* Changes */

static void forget_counts(struct outlier *o)
{
	o->failures_in_row = o->gateway_errors_in_row = 0;
	o->window_began = (mono_time){0};
	o->window = (struct outlier_counts){0};
	o->mean_us = 0;
}

static void leave_out(struct outlier *o, const struct cfg_outliers *settings,
		      enum outlier_cause cause, mono_time now)
{
	o->times++;
	o->time.ns = MIN(settings->ejection.ns * o->times, settings->ejection_max.ns);
	o->cause = cause;
	o->since = now;
	forget_counts(o);
}

static void take_back(struct outlier *o, mono_time now)
{
	o->cause = OUTLIER_NONE;
	o->since = now;
	forget_counts(o);
}

bool outlier_checked(struct outlier *o, mono_time now)
{
	if (o->cause != OUTLIER_FAILURES)
		return false;
	take_back(o, now);
	return true;
}

/* Counting */

static void add(struct outlier_counts *sum, const struct outlier_counts *news)
{
	sum->answers += news->answers;
	sum->gateway_errors += news->gateway_errors;
	sum->whole += news->whole;
	sum->failures += news->failures;
	sum->timed += news->timed;
	sum->us += news->us;
}

/* Good ones end the row. */
static uint64_t in_row(uint64_t before, uint64_t good, uint64_t bad)
{
	return good > 0 ? 0 : before + bad;
}

static enum outlier_cause judge_window(struct outlier *o, const struct cfg_outliers *settings)
{
	const struct outlier_counts *w = &o->window;
	uint64_t attempts = w->whole + w->failures;
	double bad = (double)(w->failures + w->gateway_errors);

	o->mean_us =
	    w->timed > 0 && w->timed >= settings->requests ? (double)w->us / (double)w->timed : 0;
	if (settings->share > 0 && attempts > 0 && attempts >= settings->requests &&
	    bad * 100 >= settings->share * (double)attempts)
		return OUTLIER_SHARE;
	return OUTLIER_NONE;
}

/* What it has done since the last look, and what that makes of it. */
static enum outlier_cause hear(struct outlier *o, const struct cfg_outliers *settings,
			       const struct outlier_counts *news, mono_time now)
{
	enum outlier_cause cause = OUTLIER_NONE;

	if (o->window_began.ns == 0)
		o->window_began = now;
	add(&o->window, news);
	o->failures_in_row = in_row(o->failures_in_row, news->answers, news->failures);
	/* One that cannot be reached answers no better than by an error. */
	o->gateway_errors_in_row =
	    in_row(o->gateway_errors_in_row, news->answers - news->gateway_errors,
		   news->gateway_errors + news->failures);
	if (settings->failures > 0 && o->failures_in_row >= settings->failures)
		return OUTLIER_FAILURES;
	if (settings->gateway_errors > 0 && o->gateway_errors_in_row >= settings->gateway_errors)
		return OUTLIER_GATEWAY_ERRORS;
	if (mono_reached(mono_add(o->window_began, settings->window), now)) {
		cause = judge_window(o, settings);
		o->window_began = now;
		o->window = (struct outlier_counts){0};
	}
	return cause;
}

/* Who has been in use for as long as it was left out has made up for that once. */
static void make_up(struct outlier *o, mono_time now)
{
	if (o->times == 0 || mono_since(now, o->since).ns < o->time.ns)
		return;
	o->times--;
	o->since = now;
}

/* The others */

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The median of what the others take; 0: there are none whose time is known. */
static double median_of_others(const struct outlier_member *v, unsigned n, unsigned self)
{
	double *means = xcalloc(n, sizeof(*means)), median = 0;
	unsigned k = 0;

	for (unsigned i = 0; i < n; i++) {
		if (i != self && v[i].is_up && v[i].outlier->mean_us > 0)
			means[k++] = v[i].outlier->mean_us;
	}
	qsort(means, k, sizeof(*means), compare);
	if (k > 0)
		median = means[k / 2];
	free(means);
	return median;
}

static bool is_slow(const struct cfg_outliers *settings, const struct outlier_member *v, unsigned n,
		    unsigned self)
{
	double mean = v[self].outlier->mean_us, median;

	if (settings->latency == 0 || mean < SLOW_MIN_US)
		return false;
	median = median_of_others(v, n, self);
	return median > 0 && mean > median * settings->latency;
}

/* Of those that are up: how many there are, and how many of them are left out. */
struct tally {
	unsigned up, out;
};

static struct tally count(const struct outlier_member *v, unsigned n)
{
	struct tally t = {0};

	for (unsigned i = 0; i < n; i++) {
		t.up += v[i].is_up;
		t.out += v[i].is_up && v[i].outlier->cause != OUTLIER_NONE;
	}
	return t;
}

/* One always may be, if it is not the last. */
static bool has_room(const struct cfg_outliers *settings, struct tally t)
{
	double most = (double)t.up * settings->most / 100;

	return t.out + 1 < t.up && (t.out == 0 || (double)(t.out + 1) <= most);
}

static void let_back(const struct outlier_member *v, unsigned n, mono_time now,
		     enum outlier_event *events)
{
	struct tally t = count(v, n);

	for (unsigned i = 0; i < n; i++) {
		struct outlier *o = v[i].outlier;
		bool is_last = v[i].is_up && t.out == t.up;

		if (o->cause == OUTLIER_NONE ||
		    (!is_last && !mono_reached(mono_add(o->since, o->time), now)))
			continue;
		take_back(o, now);
		events[i] = OUTLIER_TAKEN_BACK;
	}
}

void outlier_look(const struct cfg_outliers *settings, struct outlier_member *v, unsigned n,
		  mono_time now, enum outlier_event *events)
{
	struct tally t;

	for (unsigned i = 0; i < n; i++)
		events[i] = OUTLIER_NOTHING;
	let_back(v, n, now, events);
	t = count(v, n);
	for (unsigned i = 0; i < n; i++) {
		struct outlier *o = v[i].outlier;
		enum outlier_cause cause;

		/* What ends meanwhile began before. */
		if (o->cause != OUTLIER_NONE || events[i] == OUTLIER_TAKEN_BACK)
			continue;
		make_up(o, now);
		cause = hear(o, settings, &v[i].news, now);
		if (cause == OUTLIER_NONE && is_slow(settings, v, n, i))
			cause = OUTLIER_LATENCY;
		if (cause == OUTLIER_NONE || !v[i].is_up || !has_room(settings, t))
			continue;
		leave_out(o, settings, cause, now);
		events[i] = OUTLIER_LEFT_OUT;
		t.out++;
	}
}
