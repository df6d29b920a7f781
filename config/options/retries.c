/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * origins.NAME.retries, and those of routes. Constants only.
 */
#include "config/options/rows.h"

IS_ARRAY(cfg_retries, after);
IS_ARRAY(cfg_retries, statuses);
IS_ARRAY(cfg_terms, retries);

static const char *const retry_afters[] = {"connect", "idle", "reset", NULL};

static const struct cfg_option hedge_options[] = {
    {.key = "enabled",
     .type = &cfg_type_bool,
     AT(cfg_retries, hedge.enabled),
     .fallback = "false",
     .prose = "Whether GET, HEAD and OPTIONS without content that are not answered for a while "
	      "are sent to a second server too; the first answer is taken, the other attempt is "
	      "given up. The budget counts them."},
    {.key = "percentile",
     .type = &cfg_type_percent,
     AT(cfg_retries, hedge.percentile),
     WHEN_ON("enabled"),
     .fallback = "95%",
     .prose = "The while: how long so many of the origin's last answers to this worker have taken "
	      "at most, once a hundred are known."},
    {.key = "after",
     .type = &cfg_type_duration,
     AT(cfg_retries, hedge.after),
     WHEN_ON("enabled"),
     .fallback = "0s",
     RANGE(0, DAY),
     .prose = "The while, when it is always the same; 0s: percentile says."},
    END,
};

static const struct cfg_option budget_options[] = {
    {.key = "share",
     .type = &cfg_type_percent,
     AT(cfg_retries, budget.share),
     .fallback = "20%",
     .prose = "How many further attempts there may be in 10 seconds for the requests to this "
	      "origin in these, of all workers and routes."},
    COUNT("min", AT(cfg_retries, budget.min), "10", 0, 1000000,
	  "How many more there may be for each second."),
    END,
};

#define RETRY_ROWS                                                                                 \
	COUNT("attempts", AT(cfg_retries, attempts), "1", 0, 10,                                   \
	      "Most attempts that may follow the first. Only a request that is idempotent is "     \
	      "tried again, when nothing of an answer has come and its content is still there, "   \
	      "or one that the server has surely not acted upon; the latter up to three times in " \
	      "any case. "                                                                         \
	      "Servers that no connection comes about to do not count."),                          \
	    {.key = "after",                                                                       \
	     .shape = CFG_VALUES,                                                                  \
	     .type = &cfg_type_choice,                                                             \
	     AT(cfg_retries, after),                                                               \
	     .choices = retry_afters,                                                              \
	     .prose =                                                                              \
		 "After what it is: connect: there is no connection to a server, or it does not "  \
		 "acknowledge what was sent, so the next one is asked; idle: a connection "        \
		 "that was open before broke, and a new one is made, or the next server is "       \
		 "asked where one is ready; reset: a new one "                                     \
		 "broke, and the next server is asked. When it is not here it is "                 \
		 "connect and idle, with more than one of attempts reset too."},                   \
	    {.key = "statuses",                                                                    \
	     .shape = CFG_VALUES,                                                                  \
	     .type = &cfg_type_status,                                                             \
	     AT(cfg_retries, statuses),                                                            \
	     .prose = "After responses with which statuses the next server is asked; the last "    \
		      "response is the client's. At most 8, each may be a range."},                \
	    BYTES("body", AT(cfg_retries, body), "64KiB", 0, 16 * MIB,                             \
		  "How much of a request's content is kept, to be sent again. All "                \
		  "requests of an edge together keep 64 MiB at most, then none is kept."),         \
	    {.key = "per_try_timeout",                                                             \
	     .type = &cfg_type_duration,                                                           \
	     AT(cfg_retries, per_try_timeout),                                                     \
	     .fallback = "0s",                                                                     \
	     RANGE(0, DAY),                                                                        \
	     .prose = "From a request that was sent to the head of its response: after that it "   \
		      "is tried again if it may be, else timeout.response holds; 0s: that alone "  \
		      "does."},                                                                    \
	    SECTION("hedge", "A second attempt beside a slow first one.", hedge_options)

const struct cfg_option cfg_route_retries_options[] = {RETRY_ROWS, END};

const struct cfg_option cfg_origin_retries_options[] = {
    RETRY_ROWS,
    SECTION("budget",
	    "How many further attempts there may be in all, so that a server in trouble is not "
	    "asked several times as much as before. Attempts that follow a connection that could "
	    "not be made are not counted, those that follow an idle one that broke are not "
	    "refused: no server is asked more by them than it was.",
	    budget_options),
    END,
};
