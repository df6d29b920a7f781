# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: http.limit.min_rate. Each byte of a trickle was progress, so that a client could hold
its connection, and the origin's, for as long as it liked."""

import contextlib
import select
import socket
import threading

import perigee
from edge_fleet import HOST, Responses, read_head, read_to_end
from h2_client import Client, ErrorCodes, SettingCodes
from h2_frames import INITIAL_WINDOW_SIZE, PREFACE, RawH2, settings, window_update

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


def test_what_the_client_was_behind_by_is_forgiven_when_it_is_answered(scripted):
    """It was cut off at its first pause after that, however short."""
    go = threading.Event()

    def script(conn):
        data = read_head(conn).partition(b"\r\n\r\n")[2]
        assert go.wait(perigee.PATIENCE)
        conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while b"0\r\n\r\n" not in data:
            data += conn.recv(65536)
        conn.sendall(b"0\r\n\r\n")

    edge = scripted(script, http="timeout: {body: 3s}, limit: {min_rate: 1MiB}")
    with edge.connect() as s:
        s.sendall(f"POST /x HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n".encode())
        for _ in range(18):
            select.select([], [], [], 0.1)
            s.sendall(b"1\r\nx\r\n")
        go.set()
        r = Responses(s)
        assert r.head()[0] == 200
        select.select([], [], [], 1.8)
        s.sendall(b"0\r\n\r\n")
        assert r.body({"transfer-encoding": "chunked"}) == b""
    assert edge.settled()["edge_end_done_total"] == 1


def test_http2_content_that_trickles(make_edge, origin):
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"]'},
                     http="timeout: {body: 400ms}, limit: {min_rate: 100KiB}")
    with Client(edge) as c:
        stream = c.ask("/echo", method="POST", end=False)
        while not select.select([c.socket], [], [], STEP)[0] or (c.read() and not c.streams[stream].status):
            c.h2.send_data(stream, b"x")
            c.flush()
        assert c.streams[stream].status == 408
        assert c.get("/bytes/5").body is not None
    counters = edge.settled()
    assert counters["edge_end_client_too_slow_total"] == 1
    assert counters["edge_end_client_body_timeout_total"] == 0
    assert edge.access_log(2)[0]["end"] == "client-too-slow"


def test_http2_window_that_opens_in_sips(make_edge, origin):
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"]'},
                     http="timeout: {write: 400ms}, limit: {min_rate: 1MiB}")
    with Client(edge, settings={SettingCodes.INITIAL_WINDOW_SIZE: 1000}, greedy=False) as c:
        stream = c.ask("/bytes/100000000")
        s = c.streams[stream]
        while s.reset is None:
            c.read()
            if s.reset is None:
                select.select([], [], [], STEP)
                c.h2.increment_flow_control_window(1000, stream)
                c.flush()
        assert s.reset == ErrorCodes.CANCEL
        # The others of the connection go on.
        assert len(c.get("/bytes/5").body) == 5
    counters = edge.settled()
    assert counters["edge_end_client_too_slow_total"] == 1
    assert counters["edge_end_client_write_timeout_total"] == 0


def test_http2_connection_that_is_read_in_sips(make_edge, origin):
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"]'},
                     http="timeout: {write: 1s}, limit: {min_rate: 1MiB}")
    tcp = socket.socket()
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    tcp.settimeout(perigee.PATIENCE)
    tcp.connect(("127.0.0.1", edge.port))
    too_slow = counter_of(edge, "client_too_slow")
    with RawH2(edge, tcp=tcp, first=None) as c, contextlib.suppress(OSError):
        c.send(PREFACE, settings((INITIAL_WINDOW_SIZE, (1 << 31) - 1)), window_update(0, 1 << 30),
               c.get(1, path="/bytes/100000000"))
        while not too_slow():
            select.select([], [], [], STEP)
            assert c.socket.recv(4096)
    edge.wait_counter("edge_end_client_too_slow_total", 1)
    assert edge.settled()["edge_end_client_write_timeout_total"] == 0


def test_http2_stream_that_others_go_before_is_not_given_up(make_edge, origin):
    """The connection's window, which it waits for, is opened, but more urgent ones use all of it."""
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"]'}, http="timeout: {write: 400ms}")
    with Client(edge, settings={SettingCodes.INITIAL_WINDOW_SIZE: 1 << 30}, greedy=False) as c:
        late = c.streams[c.ask("/bytes/1000000", fields=[("priority", "u=7")])]
        c.until(lambda: len(late.body) == 65535)
        urgent = c.streams[c.ask("/bytes/200000", fields=[("priority", "u=0")])]
        while not urgent.ended and late.reset is None:
            select.select([], [], [], STEP)
            taken = len(late.body) + len(urgent.body)
            c.h2.increment_flow_control_window(3000)
            c.flush()
            c.until(lambda: late.reset is not None or urgent.ended or
                    len(late.body) + len(urgent.body) >= taken + 3000)
        assert urgent.ended and late.reset is None
        c.h2.increment_flow_control_window(1 << 30)
        c.flush()
        c.until(lambda: late.ended or late.reset is not None)
        assert len(late.body) == 1000000
    assert edge.settled()["edge_end_client_write_timeout_total"] == 0


def test_http2_upload_that_others_keep_from_the_window_is_not_late(scripted):
    """What origins have not taken of other streams has used up the connection's window."""
    go, asked = threading.Event(), []

    def script(conn):
        head = read_head(conn)
        if b"pgrade" in head:
            asked.append(True)
            assert go.wait(perigee.PATIENCE)
            conn.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        data = head.partition(b"\r\n\r\n")[2]
        while len(data) < 1000:
            data += conn.recv(65536)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    edge = scripted(script, http="timeout: {body: 200ms}")
    with Client(edge) as c:
        c.until(lambda: c.h2.outbound_flow_control_window == 1 << 20)
        for _ in range(16):
            fields = [(":method", "CONNECT"), (":scheme", "https"), (":path", "/"), (":authority", HOST),
                      (":protocol", "websocket"), ("sec-websocket-version", "13")]
            stream = c.ask(whole=fields, end=False)
            for n in (16384, 16384, 16384, 16383):
                c.h2.send_data(stream, bytes(n))
            c.flush()
        perigee.wait_for(lambda: len(asked) == 16, "all that ask for a tunnel")
        upload = c.ask(method="POST", end=False, fields=[("content-length", "1000")])
        c.h2.send_data(upload, bytes(16))
        c.flush()
        assert c.h2.outbound_flow_control_window == 0
        c.socket.settimeout(1)
        with contextlib.suppress(TimeoutError):
            while c.read():
                pass
        assert c.streams[upload].status is None and not c.closed
        c.socket.settimeout(perigee.PATIENCE)
        go.set()
        c.until(lambda: c.h2.outbound_flow_control_window >= 1000)
        c.h2.send_data(upload, bytes(984), end_stream=True)
        c.flush()
        assert c.finish(upload).body == b"ok"
    assert edge.settled()["edge_end_client_body_timeout_total"] == 0
