# SPDX-License-Identifier: GPL-3.0-or-later
"""A client that goes on while something behind the edge is killed, restarted or changed."""

import http.client
import threading

import perigee
from edge_fleet import HOST


class Client(threading.Thread):
    """Asks one request after the other, each with a path of its own, until it is told to stop."""

    def __init__(self, edge, name, method):
        super().__init__(daemon=True)
        self.edge, self.label, self.method = edge, name, method
        self.statuses = []
        self.over = threading.Event()
        self.start()

    def run(self):
        connection = None
        while not self.over.is_set():
            if connection is None:
                connection = http.client.HTTPSConnection(
                    "localhost", self.edge.port, timeout=perigee.PATIENCE,
                    context=self.edge.client_context())
            path = f"/{self.label}-{len(self.statuses)}"
            connection.request(self.method, path, body=b"x" if self.method == "POST" else None,
                               headers={"Host": HOST})
            try:
                response = connection.getresponse()
                response.read()
            except (OSError, http.client.HTTPException) as e:
                self.statuses.append(repr(e))
                return
            self.statuses.append(response.status)
            if response.will_close:
                connection.close()
                connection = None

    def stop(self):
        """The statuses; the last one is what went wrong, if the connection broke."""
        self.over.set()
        self.join(perigee.PATIENCE)
        assert not self.is_alive()
        return self.statuses
