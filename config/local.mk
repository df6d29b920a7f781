# SPDX-License-Identifier: GPL-3.0-or-later

noinst_LIBRARIES += config/libconfig.a
config_libconfig_a_SOURCES = \
	config/change.h config/check.h config/compression.h \
	config/diag.c config/diag.h \
	config/types/domain_name.c config/types/domain_name.h \
	config/fleet.c config/fleet.h \
	config/http.h config/limit.h config/match.h config/origin.h config/route.h \
	config/site.h config/terms.h \
	config/tls.h \
	config/values.h \
	config/hash.c config/hash.h \
	config/limits.h \
	config/load/fill.c config/load/fill.h \
	config/load/load.c \
	config/load/needs.c \
	config/load/restart.c \
	config/load/rules.c config/load/rules.h \
	config/load/validate.c config/load/validate.h \
	config/load/validate_changes.c \
	config/load/validate_fallbacks.c \
	config/load/validate_geo.c \
	config/load/validate_limits.c \
	config/load/validate_match.c \
	config/load/validate_nodes.c \
	config/load/validate_origins.c \
	config/load/validate_retries.c \
	config/load/validate_routes.c \
	config/load/validate_sites.c \
	config/load/validate_tls.c \
	config/load/validate_zones.c \
	config/memory.c config/memory.h \
	config/node.c config/node.h \
	config/option.c config/option.h \
	config/options/answers.c \
	config/options/compression.c \
	config/options/change.c \
	config/options/check_rows.h \
	config/options/edge.c \
	config/options/fleet.c \
	config/options/geo.c \
	config/options/http.c \
	config/options/limit.c \
	config/options/log.c \
	config/options/match.c \
	config/options/nameserver.c \
	config/options/options.h config/options/rows.h \
	config/options/origin.c config/options/origin_link.c \
	config/options/retries.c \
	config/options/origin_balance.c config/options/origin_health.c \
	config/options/route.c \
	config/options/site.c \
	config/options/terms.c \
	config/options/tls.c \
	config/options/zone.c \
	config/print/dump.c \
	config/print/man.c \
	config/print/print.h \
	config/print/schema.c \
	config/suggest.c config/suggest.h \
	config/syntax/entry.c config/syntax/entry.h \
	config/syntax/env.c config/syntax/env.h \
	config/syntax/tree.c config/syntax/tree.h \
	config/syntax/yaml.c config/syntax/yaml.h \
	config/types/change.c config/types/cookie.c \
	config/types/geo.c \
	config/types/log.c \
	config/types/match.c \
	config/types/names.c \
	config/types/net.c \
	config/types/percent.c \
	config/types/rate.c \
	config/types/reference.c config/types/reference.h \
	config/types/template.c config/types/template.h \
	config/types/tls.c \
	config/types/types.c config/types/types.h \
	config/units.c config/units.h

samplesdir = $(docdir)/samples
dist_samples_DATA = config/samples/minimal.yaml config/samples/perigee.yaml
