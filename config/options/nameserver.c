/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * nameservers.NAME: the nodes that run perigee-dns. Constants only.
 */
#include "config/options/rows.h"
#include "core/loop/loop.h"

COMES_FIRST(cfg_nameserver, name);

const struct cfg_option cfg_nameserver_options[] = {
    {.key = "listen",
     .shape = CFG_VALUES,
     .type = &cfg_type_listen,
     AT(cfg_nameserver, listen),
     .fallback = "*:53",
     .required = true,
     .reload = CFG_RESTART,
     .prose = "Where it answers, by UDP and TCP."},
    {.key = "control",
     .type = &cfg_type_socket,
     AT(cfg_nameserver, control),
     .fallback = "/run/perigee/dns-NAME.sock",
     .reload = CFG_RESTART,
     .prose = "Its control socket, which perigeectl talks to."},
    {.key = "state",
     .type = &cfg_type_state,
     AT(cfg_nameserver, state),
     .fallback = LOCALSTATEDIR "/lib/perigee/NAME.state",
     .reload = CFG_RESTART,
     .prose = "File that keeps what the checks of the edges last said, for the next start; \"\" "
	      "is none."},
    {.key = "workers",
     .type = &cfg_type_uint,
     AT(cfg_nameserver, workers),
     .fallback = "0",
     .reload = CFG_RESTART,
     RANGE(0, LOOP_WORKERS_MAX),
     .prose = "Worker threads; 0 is one for each processor."},
    END,
};
