# SPDX-License-Identifier: GPL-3.0-or-later
"""Health checks that are more than a look: what they cost a server, and whether they are true. Each
test is named after what went wrong once."""

import socket
import threading

import perigee
from edge_fleet import ScriptedOrigin, read_head

PAGE = b"x" * 300_000
SLICE = 30_000


class Checked(ScriptedOrigin):
    """Answers checks with a page that takes some time, and writes down how each of them ended."""

    def __init__(self, tls=None, knows_head=True):
        self.lock = threading.Condition()
        self.methods, self.ends = [], []
        self.knows_head = knows_head
        super().__init__(self.answer, tls=tls)

    def origin(self, more=""):
        return (f'servers: ["127.0.0.1:{self.port}"], '
                f"health: {{check: {{interval: 100ms, timeout: 100ms, path: /page, {more}}}}}")

    def answer(self, conn):
        method = read_head(conn).split(b" ")[0].decode()
        try:
            if method == "HEAD" and not self.knows_head:
                conn.sendall(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
            else:
                conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(PAGE))
            if method == "GET":
                # The head is on its way before the rest.
                for i in range(0, len(PAGE), SLICE):
                    conn.sendall(PAGE[i:i + SLICE])
            conn.shutdown(socket.SHUT_WR)
            while conn.recv(65536):
                pass
            end = "in order"
        except OSError as e:
            end = repr(e)
        with self.lock:
            self.methods.append(method)
            self.ends.append(end)
            self.lock.notify_all()

    def wait(self, n):
        with self.lock:
            assert self.lock.wait_for(lambda: len(self.ends) >= n, perigee.PATIENCE)
            return self.methods[:n], self.ends[:n]


def is_up(edge):
    address, = edge.status()["origins"]["app"]["servers"][0]["addresses"]
    return address["state"] == "up"


def test_check_of_a_page_was_a_reset(make_edge):
    """The edge closed on the rest of it: each check was a broken connection in the server's log."""
    origin = Checked()
    edge = make_edge({"app": origin.origin("method: GET")})
    methods, ends = origin.wait(10)
    assert set(methods) == {"GET"} and set(ends) == {"in order"}
    assert is_up(edge)
    origin.close()


def test_check_fetched_the_page(make_edge):
    """Every few seconds, from every edge: now its head only."""
    origin = Checked()
    edge = make_edge({"app": origin.origin()})
    methods, ends = origin.wait(5)
    assert set(methods) == {"HEAD"} and set(ends) == {"in order"}
    assert is_up(edge)
    origin.close()


def test_head_is_not_known_everywhere(make_edge):
    """Who has no answer to HEAD is asked by GET, and by nothing else from then on."""
    origin = Checked(knows_head=False)
    edge = make_edge({"app": origin.origin()})
    methods, ends = origin.wait(5)
    assert methods == ["HEAD", "GET", "GET", "GET", "GET"] and set(ends) == {"in order"}
    assert is_up(edge)
    origin.close()


def test_check_by_https_believed_any_certificate(make_edge, authority):
    """A server with TLS was up for a check of kind https though no request could be sent to it: its
    certificate names another."""
    origin = Checked(tls=authority.issue("other", ["other.example.com"]))
    edge = make_edge({"app": origin.origin("kind: https") +
                      f", tls: {{enabled: true, ca: {authority.certificate}, name: app.example.com}}"})
    address, = edge.status()["origins"]["app"]["servers"][0]["addresses"]
    assert (address["state"], address["cause"]) == ("down", "bad-certificate")
    edge.stop()
    # Its side of the story.
    assert all("BAD_CERTIFICATE" in e for e in origin.errors)
    origin.errors.clear()
    origin.close()
