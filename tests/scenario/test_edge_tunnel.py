# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: upgrades, with a real WebSocket library and by hand, and what a tunnel outlives."""

import asyncio
import os
import socket
import threading
import time

import pytest

import perigee
import rfc6455
from edge_fleet import HOST, Responses, TlsByHand, is_broken_off, read_head, reset

H = f"Host: {HOST}\r\n"
ASK = f"GET /tunnel HTTP/1.1\r\n{H}Connection: Upgrade\r\nUpgrade: lines\r\n\r\n".encode()
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: lines\r\n\r\n"


def open_tunnel(s):
    """A tunnel of plain bytes; Responses, to read on."""
    s.sendall(ASK)
    r = Responses(s)
    status, fields = r.head()
    assert status == 101 and fields["upgrade"] == "lines"
    return r


def switched(conn):
    """The origin's side of it: what came behind the head."""
    _, _, behind = read_head(conn).partition(b"\r\n\r\n")
    conn.sendall(SWITCH)
    return behind


def read_line(conn, data=b""):
    while not data.endswith(b"\n"):
        more = conn.recv(65536)
        if not more:
            return data
        data += more
    return data


def connect_by_hand(edge):
    s = TlsByHand(edge, edge.connect_tcp())
    s.shake_hands()
    return s


def assert_all_over(edge):
    edge.wait_counter("edge_connections_active", 0)
    edge.wait_counter("olink_active_connections", 0)
    return edge.settled()


def test_client_like_a_browser(scripted):
    asked = {}

    def script(conn):
        ws, fields = rfc6455.accept(conn, "Sec-WebSocket-Protocol: chat\r\n")
        asked.update(fields)
        while (received := ws.receive())[0] != rfc6455.CLOSE:
            opcode, data = received
            ws.send(rfc6455.PONG if opcode == rfc6455.PING else opcode, data)
        ws.send(*received)

    edge = scripted(script)
    with edge.connect() as s:
        ws, fields = rfc6455.open_client(s)
        assert fields["sec-websocket-protocol"] == "chat" and "content-length" not in fields
        assert ws.echoes(rfc6455.TEXT, "grüß dich".encode())
        assert ws.echoes(rfc6455.BINARY, bytes(range(256)) * 1000)
        ws.send(rfc6455.PING, b"there?")
        assert ws.receive() == (rfc6455.PONG, b"there?")
        assert ws.echoes(rfc6455.CLOSE, b"\x03\xe8bye")
        assert ws.reader.at_end()
    assert asked["upgrade"] == "websocket" and "upgrade" in asked["connection"].lower()
    assert asked["origin"] == f"https://{HOST}" and asked["sec-websocket-version"] == "13"
    assert asked["sec-websocket-extensions"] == rfc6455.EXTENSIONS
    assert asked["x-forwarded-for"] == "127.0.0.1" and asked["host"] == HOST
    c = assert_all_over(edge)
    assert c["edge_requests_total"] == 1
    logged = edge.access_log(1)[0]
    assert logged["status"] == 101 and logged["bytes_in"] > 256000 and logged["bytes"] > 256000


class LibraryServer:
    """An echo of python3-websockets in a thread of its own."""

    def __init__(self, websockets):
        self.websockets = websockets
        self.loop = asyncio.new_event_loop()
        started = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(started,), daemon=True)
        self.thread.start()
        assert started.wait(perigee.PATIENCE)

    def run(self, started):
        async def echo(ws, *_):
            async for message in ws:
                await ws.send(message)

        async def serve():
            self.over = asyncio.Event()
            async with self.websockets.serve(echo, "127.0.0.1", 0, max_size=None) as server:
                self.port = server.sockets[0].getsockname()[1]
                started.set()
                await self.over.wait()

        self.loop.run_until_complete(serve())

    def close(self):
        self.loop.call_soon_threadsafe(self.over.set)
        self.thread.join(perigee.PATIENCE)
        self.loop.close()


def test_websocket_library(make_edge):
    """With its own compression, which an edge knows nothing of."""
    websockets = pytest.importorskip("websockets", reason="apt-get install python3-websockets")
    server = LibraryServer(websockets)
    edge = make_edge({"app": f'servers: ["127.0.0.1:{server.port}"], health: {{enabled: false}}'})
    noise = os.urandom(3 * 1000 * 1000)

    async def talk(number):
        # Where to connect to is not what the URL says.
        async with websockets.connect(
                f"wss://{HOST}:{edge.port}/", host="127.0.0.1", port=edge.port, max_size=None,
                ssl=edge.client_context(), server_hostname=HOST,
                open_timeout=perigee.PATIENCE) as ws:
            await ws.send("hello")
            assert await ws.recv() == "hello"
            await ws.send(noise)
            assert await ws.recv() == noise
            for i in range(200):
                await ws.send(f"{number} {i}")
            for i in range(200):
                assert await ws.recv() == f"{number} {i}"
            await (await ws.ping())

    async def all_at_once():
        await asyncio.wait_for(asyncio.gather(*(talk(i) for i in range(5))), perigee.PATIENCE)

    try:
        asyncio.run(all_at_once())
        c = assert_all_over(edge)
        assert c["edge_requests_total"] == 5
    finally:
        server.close()


def test_bytes_beside_the_heads(scripted):
    """A client that does not wait for the 101, and an origin that does not wait for anything."""
    def script(conn):
        head, _, behind = read_head(conn).partition(b"\r\n\r\n")
        conn.sendall(SWITCH + b"welcome\n")
        conn.sendall(read_line(conn, behind).upper())

    edge = scripted(script)
    with edge.connect() as s:
        s.sendall(ASK + b"hello\n")
        r = Responses(s)
        assert r.head()[0] == 101
        assert r.bytes(14) == b"welcome\nHELLO\n"
        assert r.at_end()
    assert_all_over(edge)


def test_client_ends_its_side(scripted):
    """What the origin has still to say arrives, and its end."""
    rest = b"x" * 1000000

    def script(conn):
        data = switched(conn)
        while more := conn.recv(65536):
            data += more
        conn.sendall(data.upper() + rest)

    edge = scripted(script)
    s = connect_by_hand(edge)
    r = open_tunnel(s)
    s.sendall(b"the end\n")
    s.end_writing()
    assert r.bytes(8) == b"THE END\n"
    assert r.bytes(len(rest)) == rest
    assert r.at_end()
    s.socket.close()
    assert_all_over(edge)


def test_origin_ends_its_side(scripted):
    """What the client has still to say arrives."""
    received = []
    over = threading.Event()

    def script(conn):
        data = switched(conn)
        conn.sendall(b"the end\n")
        conn.shutdown(socket.SHUT_WR)
        while more := conn.recv(65536):
            data += more
        received.append(data)
        over.set()

    edge = scripted(script)
    s = connect_by_hand(edge)
    r = open_tunnel(s)
    assert r.bytes(8) == b"the end\n" and r.at_end()
    for _ in range(10):
        s.sendall(b"x" * 10000)
    s.end_writing()
    assert over.wait(perigee.PATIENCE)
    assert received == [b"x" * 100000]
    s.socket.close()
    assert_all_over(edge)


def test_either_side_breaks_off(scripted):
    ended = []

    def script(conn):
        switched(conn)
        line = read_line(conn)
        if line == b"break off\n":
            reset(conn)
            return
        try:
            ended.append(conn.recv(1))
        except ConnectionError:
            ended.append(b"")

    edge = scripted(script)
    s = edge.connect()
    open_tunnel(s)
    s.sendall(b"wait\n")
    reset(s)
    perigee.wait_for(lambda: ended == [b""], "the origin to see the end")
    with edge.connect() as s:
        open_tunnel(s)
        s.sendall(b"break off\n")
        assert is_broken_off(s)
    assert_all_over(edge)


def echo_lines(conn):
    line = switched(conn)
    while (line := read_line(conn, line)).endswith(b"\n"):
        conn.sendall(line)
        line = b""


def test_idle_tunnel_outlives_the_times_of_requests(make_edge, scripted_origin):
    silent = scripted_origin(lambda conn: read_head(conn) and conn.recv(1))
    lines = scripted_origin(echo_lines)
    edge = make_edge({"app": lines.origin("timeout: {response: 1s, idle: 1s}"),
                      "silent": silent.origin("timeout: {response: 3s}")},
                     routes={"/tunnel": "app", "/silent": "silent"},
                     http="timeout: {keep_alive: 1s, body: 1s, write: 1s}")
    with edge.connect() as s:
        r = open_tunnel(s)
        # Another one's time, which began later and is longer, is over first.
        got = edge.curl("-o", "/dev/null", "-w", "%{http_code}", edge.url("/silent")).stdout
        assert got == "504"
        s.sendall(b"still here\n")
        assert r.bytes(11) == b"still here\n"
    assert_all_over(edge)


def test_idle_tunnel_has_a_time_of_its_own(scripted):
    edge = scripted(echo_lines, http="timeout: {tunnel: 1s}")
    with edge.connect() as s:
        r = open_tunnel(s)
        s.sendall(b"a line\n")
        assert r.bytes(7) == b"a line\n"
        assert is_broken_off(s)
    assert_all_over(edge)


def test_tunnel_lives_through_a_reload(make_edge, scripted_origin, certificate):
    """And does not keep the old configuration: what is to be checked by that is checked no more."""
    checks = []

    def checked(conn):
        if read_head(conn):
            checks.append(time.monotonic())
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    app = {"app": scripted_origin(echo_lines).origin()}
    old = {"old": f'servers: ["127.0.0.1:{scripted_origin(checked).port}"], '
                  "health: {check: {interval: 50ms, timeout: 50ms}}"}
    edge = make_edge(app | old, routes={"/": "app"})
    with edge.connect() as s:
        r = open_tunnel(s)
        perigee.wait_for(lambda: len(checks) > 3, "checks")
        edge.write({"www": ([HOST], [certificate], {"/": "app"})}, app)
        edge.reload()
        edge.wait_counter("edge_reloads_total", 1)
        assert "old" not in edge.status()["origins"]
        began = time.monotonic()
        perigee.wait_for(lambda: time.monotonic() - max(began, checks[-1]) > 1,
                         "the checks of the old configuration to end")
        s.sendall(b"a line\n")
        assert r.bytes(7) == b"a line\n"
    assert_all_over(edge)


def test_tunnel_is_cut_off_at_a_stop(scripted):
    edge = scripted(echo_lines, http="timeout: {shutdown: 500ms}")
    with edge.connect() as s:
        open_tunnel(s)
        assert edge.stop() == 0
        assert is_broken_off(s)


def test_tunnel_to_an_origin_over_tls(make_edge, scripted_origin, certificate, authority):
    origin = scripted_origin(rfc6455.echo, tls=certificate)
    edge = make_edge({"app": origin.origin(
        f"tls: {{enabled: true, ca: {authority.certificate}, name: {HOST}}}")})
    with edge.connect() as s:
        ws, _ = rfc6455.open_client(s)
        assert ws.echoes(rfc6455.TEXT, b"hello")
        assert ws.echoes(rfc6455.BINARY, bytes(1000000))
        assert ws.echoes(rfc6455.CLOSE, b"\x03\xe8")
    assert_all_over(edge)


def test_what_is_no_upgrade(make_edge, scripted_origin):
    """An origin that does not want one, none at all, and a 101 that nobody asked for."""
    absent = 'servers: ["127.0.0.1:1"], health: {enabled: false}'
    edge = make_edge({"plain": scripted_origin(rfc6455.echo).origin(), "absent": absent,
                      "eager": scripted_origin(switched).origin()},
                     routes={"/": "plain", "/absent": "absent", "/eager": "eager"})

    def status(request):
        with edge.connect() as s:
            s.sendall(request)
            return Responses(s).response()[0]

    assert status(f"GET / HTTP/1.1\r\n{H}\r\n".encode()) == 426
    assert status(f"GET /eager HTTP/1.1\r\n{H}\r\n".encode()) == 502
    assert status(rfc6455.request(rfc6455.random_key(), "/absent")) == 502
    assert_all_over(edge)
