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


def inside(space):
    """By nsenter: `ip netns exec` would remount /, which in a chroot is no mount."""
    return ["nsenter", f"--net=/run/netns/{space}", "--"]


def ip(*args, space=None):
    words = inside(space) if space else []
    subprocess.run([*words, "ip", *args], check=True, capture_output=True)


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
                ip("link", "set", "lo", "up", space=space)
            ip("link", "add", "cable", "type", "veth", "peer", "name", "cable",
               "netns", self.far, space=self.near)
            ip("addr", "add", f"{NEAR}/24", "dev", "cable", space=self.near)
            for address in self.far_addresses:
                ip("addr", "add", f"{address}/24", "dev", "cable", space=self.far)
            for space in (self.far, self.near):
                ip("link", "set", "cable", "up", space=space)
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
        ip("neigh", "replace", address, "lladdr", NOWHERE, "dev", "cable",
           "nud", "permanent", space=self.near)

    @staticmethod
    def inside(space):
        """The words before a command line that is to run there; the process keeps its pid."""
        return inside(space)
