# SPDX-License-Identifier: GPL-3.0-or-later
"""Two hosts in network namespaces of their own, joined by one cable, for what loopback cannot do: a
host that vanishes without a word. Takes root; leaves nothing behind."""

import itertools
import os
import subprocess

NEAR = "192.0.2.1"
# Nobody's: what is sent there is lost.
NOWHERE = "02:00:00:00:00:ff"

_numbers = itertools.count()


def is_allowed():
    """Whether this process may make namespaces."""
    if os.geteuid() != 0:
        return False
    try:
        with Cable([]):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def ip(*args):
    subprocess.run(["ip", *args], check=True, capture_output=True)


class Cable:
    """.near has the address NEAR, .far those that it is given (192.0.2.x)."""

    def __init__(self, far_addresses):
        name = f"perigee-{os.getpid()}-{next(_numbers)}"
        self.near, self.far = f"{name}-near", f"{name}-far"
        self.far_addresses = far_addresses

    def __enter__(self):
        try:
            for space in (self.near, self.far):
                ip("netns", "add", space)
                ip("-n", space, "link", "set", "lo", "up")
            ip("-n", self.near, "link", "add", "cable", "type", "veth", "peer", "name", "cable",
               "netns", self.far)
            ip("-n", self.near, "addr", "add", f"{NEAR}/24", "dev", "cable")
            for address in self.far_addresses:
                ip("-n", self.far, "addr", "add", f"{address}/24", "dev", "cable")
            for space in (self.far, self.near):
                ip("-n", space, "link", "set", "cable", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for space in (self.near, self.far):
            # A namespace takes its devices along.
            subprocess.run(["ip", "netns", "del", space], check=False, capture_output=True)

    def lose(self, address):
        """From now on all that .near sends to this address is lost on the way: nobody is told."""
        ip("-n", self.near, "neigh", "replace", address, "lladdr", NOWHERE, "dev", "cable",
           "nud", "permanent")

    @staticmethod
    def inside(space):
        """The words before a command line that is to run there; the process keeps its pid."""
        return ["ip", "netns", "exec", space]
