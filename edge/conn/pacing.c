/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See pacing.h.
 */
#include "edge/conn/pacing.h"

#include <linux/tcp.h>
#include <sys/socket.h>

#include "config/fleet.h"
#include "edge/conn/conn.h"

struct pace_terms edge_pacing_sending(const struct cfg_http *http, bool answered)
{
	return (struct pace_terms){answered ? 0 : http->limit.min_rate, http->timeout.body};
}

struct pace_terms edge_pacing_taking(const struct cfg_http *http)
{
	return (struct pace_terms){http->limit.min_rate, http->timeout.write};
}

uint64_t edge_pacing_acked(const struct edge_conn *conn)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(stream_fd(conn->stream), IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return 0;
	return info.tcpi_bytes_acked;
}

enum reason edge_pacing_reason(const struct pace *pace, const struct pace_terms *terms,
			       mono_time now, enum reason silent)
{
	return pace_is_silent(pace, terms, now) ? silent : REASON_CLIENT_TOO_SLOW;
}
