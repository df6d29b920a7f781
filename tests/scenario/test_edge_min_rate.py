# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: http.limit.min_rate. Each byte of a trickle was progress, so that a client could hold
its connection, and the origin's, for as long as it liked."""

import contextlib
import select
import socket

import perigee
from edge_fleet import HOST, Responses, read_head, read_to_end

H = f"Host: {HOST}\r\n"
# How often a trickle goes on: well within all timeouts here.
STEP = 0.02


def trickle(s, counter):
    """Sends byte after byte until the edge says something, or the counter does."""
    while not select.select([s], [], [], STEP)[0] and not counter():
        s.sendall(b"x")


def counter_of(edge, name):
    return lambda: edge.counters()[f"edge_end_{name}_total"]


def test_content_that_trickles(make_edge, origin):
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"]'},
                     http="timeout: {body: 400ms}, limit: {min_rate: 100KiB}")
    with edge.connect() as s:
        s.sendall(f"POST /echo HTTP/1.1\r\n{H}Content-Length: 1000000\r\n\r\n".encode())
        trickle(s, lambda: False)
        got, in_order = read_to_end(s)
    assert got.startswith(b"HTTP/1.1 408 ") and in_order
    counters = edge.settled()
    assert counters["edge_end_client_too_slow_total"] == 1
    assert counters["edge_end_client_body_timeout_total"] == 0
    assert edge.access_log(1)[0]["end"] == "client-too-slow"


def test_chunks_that_trickle_are_no_faster(make_edge, origin):
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"]'},
                     http="timeout: {body: 400ms}, limit: {min_rate: 100KiB}")
    with edge.connect() as s:
        s.sendall(f"POST /echo HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n".encode())
        while not select.select([s], [], [], STEP)[0]:
            s.sendall(b"1\r\nx\r\n")
        assert s.recv(65536).startswith(b"HTTP/1.1 408 ")
    assert edge.settled()["edge_end_client_too_slow_total"] == 1


def test_response_that_is_taken_in_sips(make_edge, origin):
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"]'},
                     http="timeout: {write: 400ms}, limit: {min_rate: 1MiB}")
    tcp = socket.socket()
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    tcp.settimeout(perigee.PATIENCE)
    tcp.connect(("127.0.0.1", edge.port))
    too_slow = counter_of(edge, "client_too_slow")
    with edge.secure(tcp) as s, contextlib.suppress(OSError):
        s.sendall(f"GET /bytes/100000000 HTTP/1.1\r\n{H}\r\n".encode())
        while not too_slow():
            select.select([], [], [], STEP)
            assert s.recv(4096)
    edge.wait_counter("edge_end_client_too_slow_total", 1)
    assert edge.settled()["edge_end_client_write_timeout_total"] == 0


def test_origin_that_takes_its_time_is_not_the_clients_fault(scripted):
    """Content is not awaited as long as the origin does not take it."""
    go = []

    def script(conn):
        head = read_head(conn)
        perigee.wait_for(lambda: go, "leave to read")
        left = 20_000_000 - len(head.partition(b"\r\n\r\n")[2])
        while left > 0:
            left -= len(conn.recv(65536))
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    edge = scripted(script, http="timeout: {body: 300ms}, limit: {min_rate: 1MiB}")
    with edge.connect() as s:
        s.sendall(f"POST /x HTTP/1.1\r\n{H}Content-Length: 20000000\r\n\r\n".encode())
        s.settimeout(1)
        sent = 0
        piece = bytes(10000)
        try:
            while sent < 20_000_000:
                s.sendall(piece)
                sent += len(piece)
        except TimeoutError:
            # OpenSSL keeps what it could not write: it is to be written again as it was.
            pass
        go.append(True)
        s.settimeout(perigee.PATIENCE)
        if sent < 20_000_000:
            s.sendall(piece)
            sent += len(piece)
        s.sendall(bytes(20_000_000 - sent))
        assert Responses(s).response()[0] == 200
    assert edge.settled()["edge_end_client_too_slow_total"] == 0


def test_talk_in_both_directions_is_no_trickle(scripted):
    def script(conn):
        assert read_head(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\ny\r\n")
        data = b""
        while b"0\r\n\r\n" not in data:
            data += conn.recv(65536)
        conn.sendall(b"0\r\n\r\n")

    edge = scripted(script, http="timeout: {body: 400ms}, limit: {min_rate: 100KiB}")
    with edge.connect() as s:
        s.sendall(f"POST /x HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n".encode())
        r = Responses(s)
        assert r.head()[0] == 200
        for _ in range(40):
            select.select([], [], [], STEP)
            s.sendall(b"1\r\nx\r\n")
        s.sendall(b"0\r\n\r\n")
        assert r.body({"transfer-encoding": "chunked"}) == b"y"
    assert edge.settled()["edge_end_done_total"] == 1
