/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Faults of client streams as end reasons. Any thread.
 */
#include "edge/conn/reason.h"

enum reason edge_client_reason(enum stream_fault fault)
{
	switch (fault) {
	case STREAM_FAULT_NONE:
		return REASON_NONE;
	case STREAM_FAULT_CLOSED:
		return REASON_CLIENT_CLOSED;
	case STREAM_FAULT_RESET:
	case STREAM_FAULT_TIMED_OUT:
		return REASON_CLIENT_RESET;
	case STREAM_FAULT_HANDSHAKE:
	case STREAM_FAULT_CERTIFICATE:
		return REASON_CLIENT_HANDSHAKE_FAILED;
	case STREAM_FAULT_MALFORMED:
		return REASON_CLIENT_MALFORMED;
	case STREAM_FAULT_STALLED:
		return REASON_CLIENT_STALLED;
	case STREAM_FAULT_NO_MEMORY:
		break;
	}
	return REASON_LIMIT;
}

enum edge_failure edge_failure_of_reason(enum reason reason)
{
	switch (reason) {
	case REASON_CLIENT_CLOSED:
		return EDGE_FAILURE_CLOSED;
	case REASON_CLIENT_RESET:
		return EDGE_FAILURE_RESET;
	case REASON_CLIENT_HANDSHAKE_TIMEOUT:
		return EDGE_FAILURE_TIMEOUT;
	default:
		return EDGE_FAILURE_OWN;
	}
}
