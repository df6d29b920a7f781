/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the fault of a client's stream means as an end reason. Any thread.
 */
#pragma once

#include "core/base/reason.h"
#include "core/net/stream.h"
#include "edge/tls/failure.h"

enum reason edge_client_reason(enum stream_fault fault);
/* Of a handshake that ended so, where the library had no complaint. */
enum edge_failure edge_failure_of_reason(enum reason reason);
