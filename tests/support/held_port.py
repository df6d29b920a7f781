# SPDX-License-Identifier: GPL-3.0-or-later
"""A port of 127.0.0.1 that nobody else gets, though no one listens yet, or any more."""

import socket


class HeldPort:
    """It refuses connections, until a server takes it over, and again when that has gone. Bound, but
    not listened on: Linux gives it to none who ask for any port, to listen or to connect from, and
    lets those have it who ask for it with SO_REUSEADDR, as all servers do."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", 0))
        self.number = self.socket.getsockname()[1]
        self.address = f"127.0.0.1:{self.number}"

    def is_listened_on(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.number)) == 0

    def close(self):
        self.socket.close()
