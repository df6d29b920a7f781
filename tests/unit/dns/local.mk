# SPDX-License-Identifier: GPL-3.0-or-later
#
# Unit tests of dns/: they link $(LINK_DNS), so nothing above it.
