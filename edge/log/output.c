/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From the option to what opens it, see output.h.
 */
#include "edge/log/output.h"

#include <string.h>
#include <unistd.h>

#include "core/base/check.h"

static bool is(const struct cfg_access_log *log, const char *word)
{
	return strcmp(log->output, word) == 0;
}

struct log_target edge_log_target(const struct cfg_access_log *log)
{
	struct log_target udp = {.kind = LOG_TARGET_UDP};

	CHECK(log->output[0] != '\0');
	if (is(log, "-"))
		return (struct log_target){.kind = LOG_TARGET_INHERITED, .fd = STDOUT_FILENO};
	if (is(log, CFG_OUTPUT_JOURNALD))
		return (struct log_target){.kind = LOG_TARGET_JOURNAL};
	if (!is(log, CFG_OUTPUT_SYSLOG))
		return (struct log_target){.kind = LOG_TARGET_FILE, .path = log->output};
	if (strchr(log->syslog.receiver, '/') != NULL)
		return (struct log_target){.kind = LOG_TARGET_SOCKET, .path = log->syslog.receiver};
	CHECK(net_addr_parse(log->syslog.receiver, CFG_SYSLOG_PORT, &udp.addr));
	return udp;
}

const char *edge_log_target_name(const struct cfg_access_log *log)
{
	if (is(log, "-"))
		return "standard output";
	if (is(log, CFG_OUTPUT_JOURNALD))
		return "the journal";
	return is(log, CFG_OUTPUT_SYSLOG) ? log->syslog.receiver : log->output;
}
