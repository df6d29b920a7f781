# SPDX-License-Identifier: GPL-3.0-or-later
#
# Unit tests of core/: they link $(LINK_CORE), so nothing above it.
