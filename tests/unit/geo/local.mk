# SPDX-License-Identifier: GPL-3.0-or-later
#
# Unit tests of geo/: they link $(LINK_GEO), so nothing above it.
