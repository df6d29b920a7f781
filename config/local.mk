# SPDX-License-Identifier: GPL-3.0-or-later

noinst_LIBRARIES += config/libconfig.a
config_libconfig_a_SOURCES = \
	config/diag.c config/diag.h \
	config/domain_name.c config/domain_name.h \
	config/dump.c \
	config/entry.c config/entry.h \
	config/env.c config/env.h \
	config/fill.c config/fill.h \
	config/fleet.c config/fleet.h \
	config/limits.h \
	config/man.c \
	config/memory.c config/memory.h \
	config/node.c config/node.h \
	config/options.c config/options.h \
	config/print.h \
	config/reference.c config/reference.h \
	config/restart.c \
	config/schema.c \
	config/suggest.c config/suggest.h \
	config/tree.c config/tree.h \
	config/types.c config/types_geo.c config/types_net.c config/types.h \
	config/units.c config/units.h \
	config/validate.c config/validate.h \
	config/yaml.c config/yaml.h

samplesdir = $(docdir)/samples
dist_samples_DATA = config/samples/minimal.yaml config/samples/perigee.yaml
