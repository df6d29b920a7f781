# SPDX-License-Identifier: GPL-3.0-or-later
#
# Unit tests of origin-link/: they link $(LINK_ORIGIN_LINK), so nothing above it.
