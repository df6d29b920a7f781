# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: each stage of a request to an origin has its time, and its own word in the access log,
the counters and Proxy-Status. By HTTP/1.1 and HTTP/2, with servers that stop at every stage."""

import socket

import pytest

from edge_fleet import HOST, Responses, read_head
from h2_client import Client, ErrorCodes
from h2_origin import H2Origin

NAME = "stage.internal.test"
GET = f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
LONG = {"connect": "30s", "response": "30s", "idle": "30s", "queue": "30s"}


def options(protocol, more="", **times):
    times = ", ".join(f"{k}: {v}" for k, v in {**LONG, **times}.items())
    return f"protocol: {protocol}, retries: 0, timeout: {{{times}}}{more}"


def ask(edge):
    with edge.connect() as s:
        s.sendall(GET)
        status, fields, _ = Responses(s).response()
    return status, fields


class Silent:
    """A listener whose connections are accepted, by the kernel, and never read. Full: nor that."""

    def __init__(self, full=False):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=0 if full else 16)
        self.port = self.listener.getsockname()[1]
        self.fillers = []
        while full and len(self.fillers) < 3:
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", self.port))
            self.fillers.append(s)

    def close(self):
        for s in (self.listener, *self.fillers):
            s.close()


@pytest.fixture
def silent():
    made = []

    def make(full=False):
        made.append(Silent(full))
        return made[-1]

    yield make
    for s in made:
        s.close()


@pytest.fixture
def h2_origin():
    made = []

    def make(asked):
        made.append(H2Origin(asked))
        return made[-1]

    yield make
    for origin in made:
        origin.close()


def fails(edge, word, error, status=504):
    """For clients of HTTP/1.1 and of HTTP/2."""
    got, fields = ask(edge)
    assert got == status
    assert f'error={error}; details="{word}"' in fields["proxy-status"]
    with Client(edge) as c:
        assert c.get("/").status == status
    assert [line["end"] for line in edge.access_log(2)] == [word] * 2
    counters = edge.counters()
    assert counters[f"edge_end_{word.replace('-', '_')}_total"] == 2


@pytest.mark.parametrize("protocol", ["http1", "h2"])
def test_connect(make_edge, silent, protocol):
    edge = make_edge({"app": f'servers: ["127.0.0.1:{silent(full=True).port}"], health: off, '
                      + options(protocol, connect="300ms")})
    fails(edge, "origin-connect-timeout", "connection_timeout")


@pytest.mark.parametrize("protocol", ["http1", "h2", "auto"])
@pytest.mark.parametrize("of", ["tls", "connect"])
def test_tls(make_edge, silent, authority, protocol, of):
    """Whether it is its own time that has passed, or what was left to connect."""
    more = f", tls: {{enabled: true, ca: {authority.certificate}, name: {NAME}}}"
    edge = make_edge({"app": f'servers: ["127.0.0.1:{silent().port}"], health: off, '
                      + options(protocol, more, **{of: "300ms"})})
    fails(edge, "origin-handshake-timeout", "connection_timeout")


def test_tls_leaves_time_for_another(make_edge, silent, authority, scripted_origin):
    """With all of the time to connect, the first would have half of it."""
    def hello(conn):
        read_head(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    good = scripted_origin(hello, tls=authority.issue("stage", [NAME]))
    edge = make_edge({"app": f'servers: [{{address: "127.0.0.1:{silent().port}"}}, '
                      f'{{address: "127.0.0.1:{good.port}", priority: 1}}], health: off, '
                      + options("http1", f", tls: {{enabled: true, ca: {authority.certificate}, "
                                f"name: {NAME}}}", tls="300ms")})
    assert ask(edge)[0] == 200


@pytest.fixture(params=["http1", "h2"])
def stalls(request, make_edge, scripted_origin, h2_origin):
    """An edge whose origin takes requests, and stops before or (`after`) in its response."""
    def make(after=False, more="", **times):
        def http1(conn):
            read_head(conn)
            if after:
                conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")
            conn.recv(1)

        def h2(c, r):
            if after:
                c.h2.send_headers(r.stream, [(":status", "200")])
                c.h2.send_data(r.stream, b"x")
                c.flush()

        origin = scripted_origin(http1) if request.param == "http1" else h2_origin(h2)
        return make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"], health: off, '
                          + options(request.param, more, **times)})
    return make


def test_first_byte(stalls):
    fails(stalls(response="300ms"), "origin-head-timeout", "http_response_timeout")


def test_total(stalls):
    fails(stalls(total="300ms"), "origin-total-timeout", "http_response_timeout")


@pytest.mark.parametrize("times, word", [({"idle": "300ms"}, "origin-body-timeout"),
                                         ({"total": "300ms"}, "origin-total-timeout")])
def test_in_the_content(stalls, times, word):
    edge = stalls(after=True, **times)
    with Client(edge) as c:
        got = c.finish(c.ask("/"))
        assert got.status == 200 and got.body == b"x"
        assert got.reset == ErrorCodes.INTERNAL_ERROR
    line, = edge.access_log(1)
    assert line["end"] == word


def test_queue(make_edge, scripted_origin):
    """All that may be open are in use: by one that is not answered."""
    origin = scripted_origin(lambda conn: (read_head(conn), conn.recv(1)))
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"], health: off, pool: {{warm: 0}}, '
                      + options("http1", ", limit: {connections: 1}", queue="300ms")})
    with edge.connect() as s:
        s.sendall(GET)
        edge.wait_counter("olink_active_connections", 1)
        fails(edge, "origin-queue-timeout", "connection_limit_reached", 503)


def test_queue_is_within_the_total(make_edge, scripted_origin):
    """Two origins have a server in common: the one that has no time in all has its connection."""
    origin = scripted_origin(lambda conn: (read_head(conn), conn.recv(1)))
    app, late = (f'servers: ["127.0.0.1:{origin.port}"], health: off, pool: {{warm: 0}}, '
                 + options("http1", ", limit: {connections: 1}", **total)
                 for total in ({}, {"total": "300ms"}))
    edge = make_edge({"app": app, "late": late}, {"/": "late", "/app": "app"})
    with edge.connect() as s:
        s.sendall(GET.replace(b"GET /", b"GET /app"))
        edge.wait_counter("olink_active_connections", 1)
        fails(edge, "origin-total-timeout", "http_response_timeout")
