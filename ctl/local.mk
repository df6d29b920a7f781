# SPDX-License-Identifier: GPL-3.0-or-later

bin_PROGRAMS += ctl/perigeectl
ctl_perigeectl_SOURCES = ctl/perigeectl.c ctl/ask.c ctl/check.c ctl/machine.c ctl/metrics.c ctl/origins.c \
	ctl/print.c ctl/ticket_key.c ctl/table.c ctl/table.h ctl/perigeectl.h
ctl_perigeectl_CFLAGS = $(AM_CFLAGS) $(SMARTCOLS_CFLAGS)
ctl_perigeectl_LDADD = $(LINK_CTL) $(SMARTCOLS_LIBS)

dist_man_MANS += ctl/perigeectl.1
# The frame is text; the options in it are printed from the option table by the program itself.
man_MANS += config/perigee.yaml.5
EXTRA_DIST += config/perigee.yaml.5.in
CLEANFILES += config/perigee.yaml.5 config/perigee.yaml.5.options
config/perigee.yaml.5: ctl/perigeectl$(EXEEXT) config/perigee.yaml.5.in
	$(AM_V_GEN)$(MKDIR_P) config && ctl/perigeectl$(EXEEXT) man > $@.options && \
		sed -e '/^@OPTIONS@$$/{' -e 'r $@.options' -e 'd' -e '}' \
			$(srcdir)/config/perigee.yaml.5.in > $@.tmp && mv $@.tmp $@
