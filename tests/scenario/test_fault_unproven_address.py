# SPDX-License-Identifier: GPL-3.0-or-later
"""A new address of an origin that takes connections and says nothing: every so many requests waited
for it until its first check had failed. Each test is named after what went wrong once."""

import socket
import threading

import pytest

import perigee
import private_etc
from edge_fleet import HOST, ScriptedOrigin, Responses, read_head
from name_server import NameServer

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
NAME = "origin.perigee.test"
GOOD, NEW = "127.0.0.1", "127.0.0.2"
# Nobody but the checks asks for it. They have time enough for the test.
HEALTH = "health: {check: {path: /health, interval: 1h, timeout: 1h}}"


class Mute:
    """Takes connections to an address, and writes down what is asked; says nothing before .speak
    is set."""

    def __init__(self, address, port):
        self.asked, self.connections, self.speak = [], 0, threading.Event()
        self.listener = socket.create_server((address, port))
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def serve(self, conn):
        with conn:
            while head := read_head(conn):
                self.asked.append(head.split(b" ")[1].decode())
                self.speak.wait(perigee.PATIENCE)
                conn.sendall(OK if head.startswith(b"GET") else OK[:-2])

    def close(self):
        self.speak.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def fleet(tmp_path, make_edge):
    """fleet(script, more): (edge, mute, name server): an origin whose name has one address, GOOD,
    where the script serves, and is about to get another."""
    if not private_etc.is_allowed():
        pytest.skip("needs to make mount namespaces and name servers: run as root")
    started = []

    def make(script, more=""):
        etc = private_etc.PrivateEtc(tmp_path / "etc")
        server = NameServer({NAME: [GOOD]})
        started.append(server)
        etc.write("resolv.conf", f"nameserver {server.address}\n")
        good = ScriptedOrigin(script)
        started.append(good)
        mute = Mute(NEW, good.port)
        started.append(mute)
        edge = make_edge({"app": f"servers: ['{NAME}:{good.port}'], {HEALTH}, "
                                 f"timeout: {{response: 5s}}, {more}"}, inside=etc.inside)
        return edge, mute, server

    yield make
    for thing in reversed(started):
        thing.close()


def states(edge):
    server, = edge.status()["origins"]["app"]["servers"]
    return {a["address"].rpartition(":")[0]: a["state"] for a in server["addresses"]}


def come_new(edge, server):
    perigee.wait_for(lambda: states(edge) == {GOOD: "up"}, "the first check")
    server.names[NAME].append(NEW)
    perigee.wait_for(lambda: states(edge) == {GOOD: "up", NEW: "unknown"}, "the new address")


def serve_once(conn):
    read_head(conn)
    conn.sendall(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))


def idle(edge):
    """Connections that are ready, by address."""
    server, = edge.status()["origins"]["app"]["servers"]
    return {a["address"].rpartition(":")[0]: a["idle"] for a in server["addresses"]}


def test_new_address_that_never_answers_got_requests(fleet):
    """And connections were kept ready to it. When it answers its check it gets its share."""
    edge, mute, server = fleet(serve_once, "pool: {warm: 2}")
    come_new(edge, server)
    for _ in range(10):
        assert edge.curl("-f", edge.url("/page")).stdout == "ok"
    # None was left: who keeps connections ready has looked at both addresses since.
    perigee.wait_for(lambda: idle(edge)[GOOD] >= 2, "connections to be ready again")
    assert idle(edge)[NEW] == 0
    perigee.wait_for(lambda: mute.asked == ["/health"], "the check")
    assert mute.connections == 1
    mute.speak.set()
    perigee.wait_for(lambda: states(edge) == {GOOD: "up", NEW: "up"}, "the new address to be up")
    for _ in range(4):
        assert edge.curl("-f", edge.url("/page")).stdout == "ok"
    assert mute.asked.count("/page") == 2
    perigee.wait_for(lambda: min(idle(edge).values()) >= 2, "connections to be ready to both")


def test_new_address_stood_in_for_a_busy_one(fleet):
    """The one that is up takes a single connection, and one request waits for it: who comes then is
    told so, not sent to where nobody answers."""
    go = threading.Event()

    def slowly(conn):
        while head := read_head(conn):
            if b" /page " in head:
                assert go.wait(perigee.PATIENCE)
            conn.sendall(OK if head.startswith(b"GET") else OK[:-2])

    edge, mute, server = fleet(slowly, "limit: {connections: 1, queue: 1}")
    come_new(edge, server)
    waiting = [edge.connect() for _ in range(2)]
    for i, s in enumerate(waiting):
        s.sendall(f"GET /page HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        edge.wait_counter("edge_requests_active", i + 1)
    got = edge.curl("-o", "/dev/null", "-w", "%{http_code}", edge.url("/page"), check=False)
    assert got.stdout == "503"
    go.set()
    for s in waiting:
        with s:
            assert Responses(s).response()[0] == 200
    assert mute.asked in ([], ["/health"])
