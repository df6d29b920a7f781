/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The budget of file descriptors, see descriptors.h. Owns nothing.
 */
#include "core/process/descriptors.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sys/resource.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/process/control.h"

/* libevent's epoll and the pair for signals, the mailbox, what lent handshakes come back by, and
 * the channel to the signer. */
#define PER_LOOP 6
/* The control socket, the access log, what the threads of logs and jobs wake each other by;
 * inotify, twice while the files are looked at; the signer and its keeper. */
#define FOR_PROCESS 12
/* A configuration that is read again, with what it includes; certificates, zones and databases come
 * one after the other. */
#define FOR_FILES 8
/* c-ares: resolv.conf names three servers at most, each asked by UDP and by TCP. */
#define FOR_RESOLVER 8
/* Each loop accepts a newcomer before it can say that there is no place; and one may be on its way
 * to it from another. */
#define NEWCOMERS_PER_LOOP 2

/* Fewer than this, or than one for each listener, are not worth running for: health checks of
 * others would find no place. */
#define CLIENTS_MIN 8

/* Of four clients: themselves, and one that has ended and lingers. If they are forwarded: each
 * one's connection to an origin as well, and one that is kept for the next. */
#define QUARTERS_SERVED 5
#define QUARTERS_FORWARDED 10

/* "Unlimited", and what can be multiplied. */
#define ALLOWED_MAX (UINT64_C(1) << 40)

static uint64_t for_itself(const struct descriptor_needs *needs, uint64_t allowed)
{
	uint64_t n = needs->open + FOR_PROCESS + FOR_FILES + CONTROL_CLIENTS_MAX;

	n += (uint64_t)needs->loops * (PER_LOOP + NEWCOMERS_PER_LOOP) + needs->listeners;
	/* Those that find none are made later: not at the expense of all clients. */
	n += MIN(needs->checks, allowed / 4);
	return needs->forwards ? n + FOR_RESOLVER : n;
}

static uint64_t for_clients(const struct descriptor_needs *needs, uint64_t n)
{
	return (n * (needs->forwards ? QUARTERS_FORWARDED : QUARTERS_SERVED) + 3) / 4;
}

static unsigned most_clients(const struct descriptor_needs *needs, uint64_t room)
{
	uint64_t n = room * 4 / (needs->forwards ? QUARTERS_FORWARDED : QUARTERS_SERVED);

	return (unsigned)MIN(n, needs->clients);
}

bool descriptors_share(const struct descriptor_needs *needs, uint64_t allowed,
		       struct descriptor_budget *budget)
{
	unsigned least = MIN(needs->clients, MAX(needs->listeners, CLIENTS_MIN));
	uint64_t own, room, rest;
	bool enough;

	allowed = MIN(allowed, ALLOWED_MAX);
	own = for_itself(needs, allowed);
	enough = allowed >= own + for_clients(needs, least);
	room = enough ? allowed - own : for_clients(needs, least);
	budget->allowed = allowed;
	budget->needed = own + for_clients(needs, enough ? needs->clients : least);
	budget->clients = most_clients(needs, room);
	budget->closing = MAX(budget->clients / 4, 1);
	rest = room - (uint64_t)budget->clients * (needs->forwards ? 2 : 1);
	budget->idle = 0;
	if (needs->forwards && rest > budget->closing)
		budget->idle = (unsigned)MIN(rest - budget->closing, UINT_MAX);
	return enough;
}

bool descriptors_plan(const struct descriptor_needs *needs, const char *clients, const char *option,
		      struct descriptor_budget *budget)
{
	bool enough = descriptors_share(needs, descriptors_allowed(), budget);

	if (!enough)
		log_error("%llu open files are needed at least, and %llu are allowed: raise "
			  "LimitNOFILE= (ulimit -n)",
			  (unsigned long long)budget->needed, (unsigned long long)budget->allowed);
	else if (budget->clients < needs->clients)
		log_warn("%u %s need %llu open files, and %llu are allowed: only %u are let in; "
			 "raise LimitNOFILE= (ulimit -n)%s%s",
			 needs->clients, clients, (unsigned long long)budget->needed,
			 (unsigned long long)budget->allowed, budget->clients,
			 option != NULL ? " or lower " : "", option != NULL ? option : "");
	return enough;
}

bool descriptors_suffice(uint64_t open)
{
	/* One worker with one listener, which lets in as few as are worth running for. */
	const struct descriptor_needs least = {
	    .open = open, .loops = 2, .listeners = 1, .clients = CLIENTS_MIN};
	struct descriptor_budget budget;

	return descriptors_plan(&least, "clients", NULL, &budget);
}

uint64_t descriptors_allowed(void)
{
	struct rlimit limit;

	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	return limit.rlim_cur;
}

uint64_t descriptors_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	uint64_t n = 0;

	/* Without one to look with, all are used; without /proc, we know of those that every
	 * process has. */
	if (dir == NULL)
		return errno == EMFILE ? descriptors_allowed() : 3;
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	/* "." and "..", and its own. */
	return n > 3 ? n - 3 : 0;
}

json_t *descriptors_status(const struct descriptor_budget *budget)
{
	json_t *status =
	    json_pack("{s:I, s:I, s:I, s:I}", "used", (json_int_t)descriptors_open(), "allowed",
		      (json_int_t)budget->allowed, "needed", (json_int_t)budget->needed,
		      "clients_limit", (json_int_t)budget->clients);

	if (budget->idle > 0)
		json_object_set_new(status, "idle_limit", json_integer(budget->idle));
	return status;
}
