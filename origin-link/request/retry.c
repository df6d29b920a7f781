/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See retry.h.
 */
#include "origin-link/request/retry.h"

#include "core/base/check.h"

const char *retry_cause_text(enum retry_cause cause)
{
	static const char *const texts[] = {
	    [RETRY_BROKE] = "broke",
	    [RETRY_VANISHED] = "vanished",
	    [RETRY_TOOK_LONG] = "took long",
	    [RETRY_STATUS] = "status",
	};

	CHECK((unsigned)cause < ARRAY_SIZE(texts));
	return texts[cause];
}

static bool is_on(const struct retry_rule *rule, enum cfg_retry_after on)
{
	return (rule->on & 1U << on) != 0;
}

bool retry_is_listed(const struct retry_rule *rule, int status)
{
	for (unsigned i = 0; i < rule->n_statuses; i++) {
		if (status >= rule->statuses[i].low && status <= rule->statuses[i].high)
			return true;
	}
	return false;
}

/* What we have no memory for, or could not be rid of, would go no better elsewhere. */
static bool is_ours(enum reason reason)
{
	return reason == REASON_LIMIT || reason == REASON_ORIGIN_STALLED;
}

static const struct retry_decision no = {RETRY_NO, RETRY_FREE};

/* Nothing was done, so this is the first try still. That there are some more in any case lets a
 * request pass that several servers of a fleet refuse, one after the other, as they are restarted,
 * or that a connection was promised to and then not given; a bound on how many lets it end. */
#define UNACTED_MAX 3

static struct retry_decision decide_unacted(const struct retry_rule *rule,
					    const struct retry_case *c)
{
	if (c->n >= MAX(rule->attempts, UNACTED_MAX))
		return no;
	return (struct retry_decision){c->reused ? RETRY_SAME : RETRY_NEXT, RETRY_FREE};
}

static struct retry_decision decide_broken(const struct retry_rule *rule,
					   const struct retry_case *c)
{
	if (is_ours(c->reason))
		return no;
	if (c->unacted)
		return decide_unacted(rule, c);
	if (c->answered || c->n >= rule->attempts)
		return no;
	/* Its server may just have closed it, which is as good as any other for a new one. As many
	 * break as were open, so that these cannot grow into a storm; when a server is restarted,
	 * all of them break at once, and it would be wrong to give their requests up. */
	if (c->reused)
		return is_on(rule, CFG_RETRY_IDLE)
			   ? (struct retry_decision){RETRY_SAME, RETRY_COUNTED}
			   : no;
	/* It may have been this request that broke the server. */
	return is_on(rule, CFG_RETRY_RESET) ? (struct retry_decision){RETRY_NEXT, RETRY_ASKED} : no;
}

struct retry_decision retry_decide(const struct retry_rule *rule, const struct retry_case *c)
{
	if (!c->whole || (!c->unacted && (!c->idempotent || rule->attempts == 0)))
		return no;
	switch (c->cause) {
	case RETRY_BROKE:
		return decide_broken(rule, c);
	case RETRY_VANISHED:
		/* Each costs as long as a connection may, and the others are fewer then. An idle
		 * connection may be all that has vanished: something on the way forgot it. */
		if (c->answered || !is_on(rule, CFG_RETRY_CONNECT))
			return no;
		return (struct retry_decision){c->reused ? RETRY_NEXT : RETRY_ONLY_OTHER,
					       RETRY_COUNTED};
	case RETRY_TOOK_LONG:
		if (c->answered || c->n >= rule->attempts)
			return no;
		return (struct retry_decision){RETRY_NEXT, RETRY_ASKED};
	case RETRY_STATUS:
		if (c->n >= rule->attempts || !retry_is_listed(rule, c->status))
			return no;
		return (struct retry_decision){RETRY_NEXT, RETRY_ASKED};
	}
	return no;
}
