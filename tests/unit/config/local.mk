# SPDX-License-Identifier: GPL-3.0-or-later
#
# Unit tests of config/: they link $(LINK_CONFIG), so nothing above it.
