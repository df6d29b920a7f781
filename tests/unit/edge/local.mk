# SPDX-License-Identifier: GPL-3.0-or-later
#
# Unit tests of edge/: they link $(LINK_EDGE), so nothing above it.
