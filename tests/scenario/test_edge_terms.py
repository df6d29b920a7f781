# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: the terms of a route: how long a request may take, how much may come, how often it
is sent again."""

import threading

import pytest

import perigee
from edge_fleet import HOST, Responses, read_head, read_to_end

H = f"Host: {HOST}\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def terms(make_edge, scripted_origin):
    """terms(script, yaml): an edge with one route that has these options."""
    def make(script, yaml, more=""):
        return make_edge({"app": scripted_origin(script).origin(more)}, {"/": ("app", yaml)})

    return make


def answer(conn):
    read_head(conn)
    conn.sendall(OK)


def ask(s, text):
    s.sendall(text if isinstance(text, bytes) else text.encode())


def test_declared_content_over_the_limit_is_refused_before_it_is_read(terms):
    edge = terms(lambda conn: None, "limit: {body: 4KiB}")
    with edge.connect() as s:
        ask(s, f"POST / HTTP/1.1\r\n{H}Content-Length: 4097\r\n\r\n")
        assert Responses(s).head()[0] == 413
    c = edge.settled()
    assert c["edge_end_client_content_limit_total"] == 1 and c["olink_requests_total"] == 0


def test_content_as_large_as_the_limit_passes(terms):
    def script(conn):
        data = read_head(conn)
        while not data.endswith(b"x" * 4096):
            data += conn.recv(65536)
        conn.sendall(OK)

    edge = terms(script, "limit: {body: 4KiB}")
    with edge.connect() as s:
        ask(s, f"POST / HTTP/1.1\r\n{H}Content-Length: 4096\r\n\r\n" + "x" * 4096)
        assert Responses(s).response()[2] == b"ok"


def test_content_that_grows_over_the_limit_is_cut_off(terms):
    """It had no length; the origin must not take what has come for all of it."""
    ended = []

    def script(conn):
        data = read_head(conn)
        while chunk := conn.recv(65536):
            data += chunk
        ended.append(data.endswith(b"0\r\n\r\n"))

    edge = terms(script, "limit: {body: 4KiB}")
    with edge.connect() as s:
        ask(s, f"POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n1000\r\n" + "x" * 4096
            + "\r\n1\r\nx\r\n")
        assert Responses(s).head()[0] == 413
    perigee.wait_for(lambda: ended, "the origin to see an end")
    assert ended == [False]
    assert edge.settled()["edge_end_client_content_limit_total"] == 1


def test_response_that_is_late_for_its_route(terms):
    """The origin would have been given 30 s."""
    gone = threading.Event()

    def script(conn):
        read_head(conn)
        if conn.recv(1) == b"":
            gone.set()

    edge = terms(script, "timeout: {response: 200ms}")
    with edge.connect() as s:
        ask(s, f"GET / HTTP/1.1\r\n{H}\r\n")
        assert Responses(s).head()[0] == 504
    assert gone.wait(perigee.PATIENCE)
    assert edge.settled()["edge_end_origin_head_timeout_total"] == 1


def test_pause_in_a_response_that_is_too_long_for_its_route(terms):
    def script(conn):
        read_head(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab")
        conn.recv(1)

    edge = terms(script, "timeout: {idle: 200ms}")
    with edge.connect() as s:
        ask(s, f"GET / HTTP/1.1\r\n{H}\r\n")
        got, orderly = read_to_end(s)
        assert got.endswith(b"\r\n\r\nab") and not orderly
    assert edge.settled()["edge_end_origin_body_timeout_total"] == 1


def test_all_of_the_time_is_over_before_the_response_began(terms):
    gone = threading.Event()

    def script(conn):
        read_head(conn)
        if conn.recv(1) == b"":
            gone.set()

    edge = terms(script, "timeout: {total: 200ms}")
    with edge.connect() as s:
        ask(s, f"GET / HTTP/1.1\r\n{H}\r\n")
        assert Responses(s).head()[0] == 504
    assert gone.wait(perigee.PATIENCE), "the origin's work goes on"
    assert edge.settled()["edge_end_edge_deadline_total"] == 1


def test_all_of_the_time_is_over_in_a_response(terms):
    """It never pauses, and would go on for ever."""
    stop = threading.Event()

    def script(conn):
        read_head(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not stop.wait(0.02):
            conn.sendall(b"1\r\nx\r\n")

    edge = terms(script, "timeout: {total: 300ms}")
    with edge.connect() as s:
        ask(s, f"GET / HTTP/1.1\r\n{H}\r\n")
        got, orderly = read_to_end(s)
        assert got.startswith(b"HTTP/1.1 200 ") and not got.endswith(b"0\r\n\r\n") and not orderly
    stop.set()
    assert edge.settled()["edge_end_edge_deadline_total"] == 1


def test_tunnel_outlives_the_time_for_all_of_it(terms):
    """It is not meant: it may stay for days."""
    def script(conn):
        read_head(conn)
        conn.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                     b"Upgrade: test\r\n\r\n")
        while data := conn.recv(65536):
            conn.sendall(data)

    edge = terms(script, "timeout: {total: 100ms}")
    with edge.connect() as s, edge.connect() as other:
        ask(s, f"GET / HTTP/1.1\r\n{H}Connection: upgrade\r\nUpgrade: test\r\n\r\n")
        r = Responses(s)
        assert r.head()[0] == 101
        # Somebody who came later was given up.
        ask(other, f"GET / HTTP/1.1\r\n{H}Connection: upgrade\r\nUpgrade: test\r\n\r\n")
        assert Responses(other).head()[0] == 101
        ask(s, "echo")
        assert r.bytes(4) == b"echo"


# Repetition


class Breaking:
    """The first connections break without a byte; the others answer."""

    def __init__(self, n):
        self.n, self.seen = n, 0

    def __call__(self, conn):
        self.seen += 1
        if self.seen > self.n:
            answer(conn)
        else:
            read_head(conn)


@pytest.mark.parametrize("retries, breaks, status", [(1, 1, 502), (2, 1, 200), (2, 2, 200),
                                                     (2, 3, 502)])
def test_requests_are_sent_again_as_often_as_their_route_says(terms, retries, breaks, status):
    script = Breaking(breaks)
    edge = terms(script, f"retries: {retries}")
    assert edge.curl("-o", "/dev/null", "-w", "%{http_code}", edge.url("/")).stdout == str(status)
    assert edge.settled()["olink_retries_total"] == min(breaks, retries if retries > 1 else 0)


def test_post_is_not_sent_again_whatever_its_route_says(terms):
    script = Breaking(1)
    edge = terms(script, "retries: 5")
    got = edge.curl("-o", "/dev/null", "-w", "%{http_code}", "-d", "x", edge.url("/")).stdout
    assert got == "502" and script.seen == 1


def test_never_again(terms):
    """The connection had been idle, and the server closed it when the next request came."""
    def script(conn):
        answer(conn)
        read_head(conn)

    edge = terms(script, "retries: 0")
    assert edge.curl(edge.url("/")).stdout == "ok"
    got = edge.curl("-o", "/dev/null", "-w", "%{http_code}", edge.url("/")).stdout
    assert got == "502"
    assert edge.settled()["olink_retries_total"] == 0
