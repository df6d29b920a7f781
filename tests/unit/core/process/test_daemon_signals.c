/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Signals of a daemon: whenever they come, they are a call on the loop or nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/process/daemon_signals.h"

static struct loop *loop;
static char trace[16];

static void note(char c)
{
	size_t n = strlen(trace);

	CHECK(loop_is_owner(loop) && n + 1 < sizeof(trace));
	trace[n] = c;
	trace[n + 1] = '\0';
}

/* Each signal's callback sends the next, so that they come in this order. */
static void reload(void *arg)
{
	note('r');
	kill(getpid(), SIGUSR1);
}

static void reopen_logs(void *arg)
{
	int fds[2];

	note('l');
	/* SIGPIPE is ignored. */
	CHECK(pipe(fds) == 0 && close(fds[0]) == 0);
	CHECK(write(fds[1], "x", 1) < 0 && errno == EPIPE);
	close(fds[1]);
	kill(getpid(), SIGTERM);
}

static void stop(void *arg)
{
	note('s');
	kill(getpid(), SIGINT);
}

static void stop_now(void *arg)
{
	note('!');
	loop_stop_mt(arg);
}

static void test_signals_become_calls_on_the_loop(void **state)
{
	static const struct daemon_signal_ops ops = {stop, stop_now, reload, reopen_logs};
	struct daemon_signals *signals;

	daemon_signals_block();
	/* Too early for anybody to look: it waits. */
	kill(getpid(), SIGHUP);
	loop = loop_create("control");
	signals = daemon_signals_create(loop, &ops, loop);
	loop_run(loop);
	assert_string_equal(trace, "rls!");
	daemon_signals_destroy(&signals);
	assert_null(signals);
	/* Too late: nobody is hurt. */
	kill(getpid(), SIGTERM);
	loop_destroy(&loop);
	kill(getpid(), SIGTERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_signals_become_calls_on_the_loop),
	};

	return cmocka_run_group_tests_name("daemon_signals", tests, NULL, NULL);
}
