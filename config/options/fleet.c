/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The sections of a fleet, and the choices that two of them have. Constants only.
 */
#include "config/options/rows.h"

IS_ARRAY(cfg_fleet, edges);
IS_ARRAY(cfg_fleet, nameservers);
IS_ARRAY(cfg_fleet, origins);
IS_ARRAY(cfg_fleet, sites);
IS_ARRAY(cfg_fleet, zones);
_Static_assert(offsetof(struct cfg_strings, n) == offsetof(struct cfg_array, n), "cfg_strings");
_Static_assert(offsetof(struct cfg_addrs, n) == offsetof(struct cfg_array, n), "cfg_addrs");
_Static_assert(offsetof(struct cfg_prefixes, n) == offsetof(struct cfg_array, n), "cfg_prefixes");
_Static_assert(offsetof(struct cfg_uints, n) == offsetof(struct cfg_array, n), "cfg_uints");

const char *const cfg_check_methods[] = {"HEAD", "GET", "OPTIONS", "POST", NULL};
const char *const cfg_check_verifies[] = {"auto", "yes", "no", NULL};

const struct cfg_option cfg_options[] = {
    {.key = "user",
     .type = &cfg_type_user,
     AT(cfg_fleet, user),
     .fallback = "",
     .reload = CFG_RESTART,
     .prose = "Who perigee-edge, perigee-dns and perigee-keys become once they have opened their "
	      "addresses, when root has started them; \"\" stays whoever it is. Files that a "
	      "reload reads must be "
	      "readable for that user then, and folders of logs and of the state writable."},
    SECTION_AT("log", AT(cfg_fleet, log), "The programs' own log, on standard error.",
	       cfg_log_options),
    SECTION_AT("http", AT(cfg_fleet, http), "What every edge does to requests.", cfg_http_options),
    SECTION_AT("tls", AT(cfg_fleet, tls), "How every edge speaks TLS with clients.",
	       cfg_tls_options),
    {.key = "edges",
     .shape = CFG_NAMED,
     .type = &cfg_type_name,
     AT(cfg_fleet, edges),
     OF(cfg_edge),
     .prose = "The nodes that run perigee-edge, by name.",
     .children = cfg_edge_options},
    {.key = "nameservers",
     .shape = CFG_NAMED,
     .type = &cfg_type_name,
     AT(cfg_fleet, nameservers),
     OF(cfg_nameserver),
     .prose = "The nodes that run perigee-dns, by name.",
     .children = cfg_nameserver_options},
    {.key = "origins",
     .shape = CFG_NAMED,
     .type = &cfg_type_name,
     AT(cfg_fleet, origins),
     OF(cfg_origin),
     .prose = "Where the content comes from, by name.",
     .children = cfg_origin_options},
    {.key = "sites",
     .shape = CFG_NAMED,
     .type = &cfg_type_name,
     AT(cfg_fleet, sites),
     OF(cfg_site),
     .prose = "Hosts that are served together, by name.",
     .children = cfg_site_options},
    {.key = "zones",
     .shape = CFG_NAMED,
     .type = &cfg_type_zone,
     AT(cfg_fleet, zones),
     OF(cfg_zone),
     .prose = "The DNS zones that the name servers answer for, by name.",
     .children = cfg_zone_options},
    SECTION_AT("geo", AT(cfg_fleet, geo), "Where clients are.", cfg_geo_options),
    END,
};
