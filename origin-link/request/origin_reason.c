/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Faults of streams to origins as end reasons. Any thread.
 */
#include "origin-link/request/origin_reason.h"

enum reason olink_origin_reason(enum stream_fault fault)
{
	switch (fault) {
	case STREAM_FAULT_NONE:
		return REASON_NONE;
	case STREAM_FAULT_CLOSED:
		return REASON_ORIGIN_CLOSED;
	case STREAM_FAULT_RESET:
	case STREAM_FAULT_TIMED_OUT:
		return REASON_ORIGIN_RESET;
	case STREAM_FAULT_HANDSHAKE:
		return REASON_ORIGIN_HANDSHAKE_FAILED;
	case STREAM_FAULT_CERTIFICATE:
		return REASON_ORIGIN_CERTIFICATE;
	case STREAM_FAULT_MALFORMED:
		return REASON_ORIGIN_MALFORMED;
	case STREAM_FAULT_STALLED:
		return REASON_ORIGIN_STALLED;
	case STREAM_FAULT_NO_MEMORY:
		break;
	}
	return REASON_LIMIT;
}
