# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: copies of requests to other origins, which neither slow nor fail the real ones."""

import socket
import threading

import pytest

import perigee
from edge_fleet import HOST, Responses, read_head

H = f"Host: {HOST}\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def read_request(conn, data=b""):
    """Head and content, or b""."""
    while b"\r\n\r\n" not in data:
        chunk = conn.recv(65536)
        if not chunk:
            return b""
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    lower = head.lower()
    if b"content-length: " in lower:
        n = int(lower.split(b"content-length: ")[1].split(b"\r\n")[0])
        while len(body) < n:
            body += conn.recv(65536)
    elif b"chunked" in lower:
        while b"\r\n0\r\n" not in body or not body.endswith(b"\r\n\r\n"):
            body += conn.recv(65536)
    return head + b"\r\n\r\n" + body


class Taker:
    """Answers all requests, and keeps them."""

    def __init__(self):
        self.requests = []

    def __call__(self, conn):
        while data := read_request(conn):
            self.requests.append(data)
            conn.sendall(OK)


@pytest.fixture
def mirrored(make_edge, scripted_origin):
    """mirrored(mirror, options): an edge whose requests are copied to it; its real origin."""
    def make(mirror, more="", of_copy="", segment=None):
        real, copy = Taker(), scripted_origin(mirror, receive_buffer=segment)
        if segment:
            # The kernel has room for some segments only, as it has for an origin that is far away.
            copy.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment)
        edge = make_edge({"app": scripted_origin(real).origin(), "copy": copy.origin(of_copy)},
                         {"/": ("app", f"mirror: {{origin: copy, {more}}}")})
        return edge, real

    return make


def test_requests_are_copied(mirrored):
    copy = Taker()
    edge, real = mirrored(copy)
    assert edge.curl(edge.url("/a?b=c")).stdout == "ok"
    assert edge.curl("-d", "hello", edge.url("/post")).stdout == "ok"
    with edge.connect() as s:
        s.sendall(f"PUT / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n".encode())
        perigee.wait_for(lambda: len(copy.requests) == 2, "two copies")
        s.sendall(b"2\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n")
        assert Responses(s).response()[2] == b"ok"
    perigee.wait_for(lambda: len(copy.requests) == 3, "the copies")
    assert copy.requests[0].startswith(b"GET /a?b=c HTTP/1.1\r\n")
    assert copy.requests[0] == real.requests[0]
    assert copy.requests[1] == real.requests[1] and copy.requests[1].endswith(b"\r\n\r\nhello")
    assert copy.requests[2].endswith(b"\r\n\r\nabcde") and b"Content-Length: 5" in copy.requests[2]
    assert edge.settled()["edge_mirrored_total"] == 3


def test_a_share_of_requests_is_copied(mirrored):
    copy = Taker()
    edge, real = mirrored(copy, "share: 25%")
    with edge.connect() as s:
        r = Responses(s)
        for _ in range(400):
            s.sendall(f"GET / HTTP/1.1\r\n{H}\r\n".encode())
            r.response()
    assert 60 <= edge.settled()["edge_mirrored_total"] <= 140


def test_content_that_is_too_large_is_not_copied(mirrored):
    copy = Taker()
    edge, real = mirrored(copy, "body: 4KiB")
    assert edge.curl("-d", "x" * 4097, edge.url("/")).stdout == "ok"
    assert edge.curl("-d", "x" * 4097, "-H", "Transfer-Encoding: chunked",
                     edge.url("/")).stdout == "ok"
    assert edge.curl("-d", "x" * 4096, edge.url("/")).stdout == "ok"
    perigee.wait_for(lambda: copy.requests, "a copy")
    c = edge.settled()
    assert c["edge_mirrored_total"] == 1 and c["edge_mirror_dropped_total"] == 2
    assert len(real.requests) == 3


def test_mirror_that_answers_nothing_holds_nobody_up(mirrored):
    """More of them than there may be: the others go without a copy."""
    done = threading.Event()

    def script(conn):
        read_request(conn)
        done.wait(perigee.PATIENCE)

    edge, real = mirrored(script)
    with edge.connect() as s:
        r = Responses(s)
        for _ in range(200):
            s.sendall(f"GET / HTTP/1.1\r\n{H}\r\n".encode())
            assert r.response()[2] == b"ok"
    c = edge.settled()
    assert c["edge_mirrored_total"] + c["edge_mirror_dropped_total"] == 200
    assert c["edge_mirror_dropped_total"] > 0 and c["edge_responses_2xx_total"] == 200
    done.set()
    edge.wait_counter("edge_mirror_failures_total", c["edge_mirrored_total"])


@pytest.mark.parametrize("answer", [b"", b"what?\r\n\r\n", b"HTTP/1.1 500 No\r\n\r\n" + b"x" * 200000,
                                    b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"],
                         ids=["none", "garbled", "long", "cut"])
def test_mirror_that_fails_fails_nobody(mirrored, answer):
    def script(conn):
        read_request(conn)
        conn.sendall(answer)

    edge, real = mirrored(script)
    for _ in range(5):
        assert edge.curl("-d", "x", edge.url("/")).stdout == "ok"
    edge.wait_counter("edge_mirrored_total", 5)


def test_mirror_that_answers_before_it_has_taken_the_copy(mirrored):
    """What was to be read of its answer was taken for room for the copy, and the edge ended."""
    def script(conn):
        read_head(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
        while conn.recv(65536):
            pass

    # Most of the copy is still to come when it is answered.
    edge, real = mirrored(script, "body: 1MiB", segment=536)
    with edge.connect() as s:
        r = Responses(s)
        for _ in range(5):
            s.sendall(f"POST / HTTP/1.1\r\n{H}Content-Length: 1000000\r\n\r\n".encode()
                      + b"x" * 1000000)
            assert r.response()[2] == b"ok"
    assert edge.settled()["edge_mirrored_total"] == 5
    assert edge.running()


def test_mirror_that_drips_does_not_keep_its_place(mirrored):
    """Each byte was in time for itself."""
    ended = threading.Event()

    def script(conn):
        read_request(conn)
        try:
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
            while True:
                conn.sendall(b"x")
                ended.wait(0.2)
        except OSError:
            ended.set()

    edge, real = mirrored(script, of_copy="timeout: {response: 1s}")
    assert edge.curl(edge.url("/")).stdout == "ok"
    assert ended.wait(perigee.PATIENCE)
    edge.wait_counter("edge_mirror_failures_total", 1)


def test_request_that_does_not_come_whole_is_not_copied(mirrored):
    copy = Taker()
    edge, real = mirrored(copy)
    with edge.connect() as s:
        s.sendall(f"POST / HTTP/1.1\r\n{H}Content-Length: 9\r\n\r\nabc".encode())
        edge.wait_counter("edge_requests_active", 1)
    edge.wait_counter("edge_mirror_dropped_total", 1)
    assert not copy.requests


def test_edge_ends_while_mirrors_are_silent(mirrored):
    done = threading.Event()

    def script(conn):
        read_request(conn)
        done.wait(perigee.PATIENCE)

    edge, real = mirrored(script)
    for _ in range(3):
        assert edge.curl(edge.url("/")).stdout == "ok"
    edge.stop()
    done.set()
