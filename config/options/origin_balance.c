/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * origins.NAME.balance: which of its servers a request goes to. Constants only.
 */
#include "config/options/rows.h"

static const char *const methods[] = {"round-robin", "least-requests", "latency", "hash", NULL};
static const char *const same_sites[] = {"strict", "lax", "none", NULL};

static const struct cfg_option hash_options[] = {
    {.key = "by",
     .type = &cfg_type_template,
     AT(cfg_balance, hash.by),
     .fallback = "{client.ip}",
     .prose = "What is equal of the requests that go to the same server; for instance {path} or "
	      "{cookie.session}. Where it is empty the least busy server is taken."},
    {.key = "slack",
     .type = &cfg_type_percent,
     AT(cfg_balance, hash.slack),
     .fallback = "25%",
     .prose = "How much more than its share of all requests under way a server may have before "
	      "others take some of its own."},
    END,
};

static const struct cfg_option sticky_options[] = {
    {.key = "enabled",
     .type = &cfg_type_bool,
     AT(cfg_sticky, enabled),
     .fallback = "false",
     .prose =
	 "Whether a cookie, which the edge sets, keeps a client at a server, as long as that "
	 "is up. Who has it is told nothing by it, and cannot make one. All edges understand it "
	 "if they have tls.tickets.keys in common; it lives as long as the key that was in use "
	 "then is there, else until the edge is started anew."},
    {.key = "name",
     .type = &cfg_type_cookie_name,
     AT(cfg_sticky, name),
     .fallback = "server-NAME",
     WHEN_ON("enabled"),
     .prose = "Its name; NAME is that of the origin. The origin does not get to see it."},
    {.key = "path",
     .type = &cfg_type_cookie_path,
     AT(cfg_sticky, path),
     .fallback = "/",
     WHEN_ON("enabled"),
     .prose = "Below which path the client sends it."},
    {.key = "max_age",
     .type = &cfg_type_duration,
     AT(cfg_sticky, max_age),
     .fallback = "0s",
     RANGE(0, 366 * DAY),
     WHEN_ON("enabled"),
     .prose = "How long the client keeps it, in whole seconds; 0s: until the browser is closed."},
    {.key = "secure",
     .type = &cfg_type_bool,
     AT(cfg_sticky, secure),
     .fallback = "true",
     WHEN_ON("enabled"),
     .prose = "Whether it is sent over https only."},
    {.key = "http_only",
     .type = &cfg_type_bool,
     AT(cfg_sticky, http_only),
     .fallback = "true",
     WHEN_ON("enabled"),
     .prose = "Whether scripts in pages do not get to see it."},
    {.key = "same_site",
     .type = &cfg_type_choice,
     AT(cfg_sticky, same_site),
     .fallback = "lax",
     .choices = same_sites,
     WHEN_ON("enabled"),
     .prose = "Whether it is sent with requests that pages of other sites make; \"none\", with "
	      "all of them, needs secure."},
    END,
};

const struct cfg_option cfg_balance_options[] = {
    CHOICE(
	"method", AT(cfg_balance, method), "least-requests", methods,
	"How one of the servers is chosen, of those that are up: by turns (\"round-robin\"); the "
	"one with the fewest requests under way for its weight, by turns where several have as "
	"few (\"least-requests\"); the one of two that is likely to answer sooner, by how long "
	"it took lately and how many requests are before this one (\"latency\"); or always the "
	"same for what hash.by says (\"hash\")."),
    {.key = "hash",
     .shape = CFG_SECTION,
     WHEN("method", 1U << CFG_BALANCE_HASH),
     .prose = "What requests have in common that go to the same server. When a server comes or "
	      "goes no more of them change theirs than must.",
     .children = hash_options},
    {.key = "sticky",
     .shape = CFG_SECTION,
     AT(cfg_balance, sticky),
     .shorthand = "enabled",
     .prose = "Whether and how a client stays at the server that has answered it first.",
     .children = sticky_options},
    {.key = "slow_start",
     .type = &cfg_type_duration,
     AT(cfg_balance, slow_start),
     .fallback = "0s",
     RANGE(0, DAY),
     .prose = "In which time a server that has come up, or is new among the addresses of a name, "
	      "gets more and more requests, from a tenth of its share to all of it; 0s: all at "
	      "once."},
    {.key = "spill",
     .type = &cfg_type_percent,
     AT(cfg_balance, spill),
     .fallback = "50%",
     .prose =
	 "How much of the servers of one priority, and of those that are about as near, must "
	 "be up for them to take all requests; by default one of two may be down. When it is "
	 "less, those that are next in priority or distance take what is missing; with 0% they "
	 "are asked only when none is up, or none can be reached."},
    COUNT("subset", AT(cfg_balance, subset), "0", 0, 100000,
	  "How many servers an edge uses at most, of each priority and distance, so that each edge "
	  "keeps connections to some only. Which ones depends on the name of the edge; when one is "
	  "down another takes its place. 0: all."),
    END,
};
