# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: HTTP/2 to origins, which are python3-h2's, nghttpd, or do what a test tells them."""

import contextlib
import shutil
import socket
import subprocess
import threading
import time

import h2.errors
import h2.settings
import pytest

import perigee
from edge_fleet import HOST
from h2_client import Client
from h2_origin import Connection, H2Origin

NAME = "h2.internal.test"
STREAMS = h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS


@pytest.fixture
def h2_origin():
    """h2_origin(...): an H2Origin that is closed at the end."""
    made = []

    def make(*args, **more):
        made.append(H2Origin(*args, **more))
        return made[-1]

    yield make
    for origin in made:
        origin.close()


@pytest.fixture
def internal(authority):
    return authority.issue("internal", [NAME])


def tls(authority, more=""):
    return f"tls: {{enabled: true, ca: {authority.certificate}, name: {NAME}}}{more}"


def get(edge, path="/", *args):
    return edge.curl("-f", *args, edge.url(path)).stdout


def many(edge, n, path="/"):
    """n requests at once over one connection of HTTP/2; their exchanges."""
    with Client(edge) as client:
        streams = [client.ask(path) for _ in range(n)]
        got = [client.finish(s) for s in streams]
    for g in got:
        assert g.status == 200, g.status
    return got


def test_requests_share_a_connection(make_edge, h2_origin):
    """The first of them wait for the one that is being opened."""
    origin = h2_origin()
    edge = make_edge({"app": origin.origin()})
    many(edge, 50)
    assert len(origin.connections) == 1 and origin.most > 1
    c = edge.settled()
    assert c["olink_connects_total"] == 1 and c["olink_h2_sessions_total"] == 1
    assert c["olink_leases_fresh_total"] == 1 and c["olink_leases_reused_total"] == 49
    assert c["olink_idle_connections"] == 1 and c["olink_active_connections"] == 0


@pytest.mark.parametrize("limit, requests, most", [(1, 8, 8), (10, 60, 12)])
def test_limit_of_streams_is_kept(make_edge, h2_origin, limit, requests, most):
    def asked(c, r):
        assert len(c.requests) <= limit
        c.respond(r, body=b"x")

    origin = h2_origin(asked, settings={STREAMS: limit})
    edge = make_edge({"app": origin.origin()})
    get(edge)  # so that the limit is known
    many(edge, requests)
    assert origin.most <= limit
    assert len(origin.connections) <= most
    assert edge.settled()["edge_end_done_total"] == requests + 1


def test_requests_of_an_origin_are_limited(make_edge, h2_origin):
    """They share a connection, so that no limit of connections would tell."""
    held = threading.Event()
    asked = []

    def hold(c, r):
        asked.append((c, r))
        if held.is_set():
            c.respond(r, body=b"x")

    origin = h2_origin(hold)
    edge = make_edge({"app": origin.origin("limit: {requests: 2}")})
    with Client(edge) as client:
        streams = [client.ask("/") for _ in range(2)]
        perigee.wait_for(lambda: len(asked) == 2, "both")
        over = client.finish(client.ask("/"))
        assert over.status == 503 and over.fields["retry-after"] == "1"
        assert "connection_limit_reached" in over.fields["proxy-status"]
        held.set()
        for c, r in asked[:]:
            c.respond(r, body=b"x")
        assert [client.finish(s).status for s in streams] == [200, 200]
        assert client.finish(client.ask("/")).status == 200
    assert len(asked) == 3
    ends = [line["end"] for line in edge.access_log(4)]
    assert sorted(ends) == ["done"] * 3 + ["origin-queue-full"]
    edge.settled()


def test_a_limit_that_is_not_known_yet(make_edge, h2_origin):
    """Who refuses streams has not acted upon them: they are sent again, to where there is room."""
    def begun(c, r):
        if len(c.requests) > 2:
            c.refuse(r)

    origin = h2_origin(lambda c, r: c.respond(r, body=b"x"), settings={STREAMS: 2})
    origin.begun = begun
    edge = make_edge({"app": origin.origin()})
    many(edge, 12)
    assert edge.settled()["edge_end_done_total"] == 12


def test_goaway_under_load_loses_nothing(make_edge, h2_origin):
    """Each connection serves a few, says so, and refuses the rest: POST is among them."""
    seen = []

    def asked(c, r):
        seen.append(r.fields["x-number"])
        c.respond(r, body=b"x")
        if c.served == 5:
            c.goaway(r.stream)

    origin = h2_origin(asked)
    edge = make_edge({"app": origin.origin()}, {"/": ("app", "retries: 3")})
    with Client(edge) as client:
        for i in range(60):
            stream = client.ask(method="POST" if i % 2 else "GET", fields=[("x-number", str(i))])
            got = client.finish(stream)
            assert got.status == 200
    # None ran twice.
    assert sorted(map(int, seen)) == list(range(60))
    assert edge.settled()["edge_end_done_total"] == 60
    assert len(origin.connections) >= 12


def test_graceful_goaway_lets_what_runs_end(make_edge, h2_origin):
    held = {}

    def asked(c, r):
        if r.path == "/slow":
            held[c] = r
            c.goaway(0x7fffffff)
            c.h2.send_headers(r.stream, [(":status", "200")])
        else:
            c.respond(r, body=b"other")

    origin = h2_origin(asked)
    edge = make_edge({"app": origin.origin()})
    with Client(edge) as client:
        slow = client.ask("/slow")
        client.until(lambda: client.streams[slow].status is not None)
        assert client.get("/").body == b"other"
        c, r = next(iter(held.items()))
        with c.lock:
            c.socket.sendall(b"\0\0\7\0\1" + r.stream.to_bytes(4, "big") + b"the end")
        assert client.finish(slow).body == b"the end"
    assert len(origin.connections) == 2
    edge.settled()


def test_fallback_to_http1_by_alpn(make_edge, h2_origin, authority, internal):
    origin = h2_origin(tls=internal, alpn=("http/1.1",))
    edge = make_edge({"app": origin.origin(tls(authority))})
    for _ in range(5):
        assert get(edge) == "h1"
    many(edge, 10)
    assert origin.http1 >= 1 and not origin.connections
    assert edge.settled()["olink_h2_sessions_total"] == 0


@pytest.mark.parametrize("protocol, by_h2", [("auto", True), ("http1", False), ("h2", True)])
def test_protocol_of_the_origin(make_edge, h2_origin, authority, internal, protocol, by_h2):
    origin = h2_origin(tls=internal)
    edge = make_edge({"app": origin.origin(tls(authority, f", protocol: {protocol}"))})
    assert get(edge) == ("0" if by_h2 else "h1")
    assert bool(origin.connections) == by_h2
    edge.settled()


def test_auto_without_tls_is_http1(make_edge, scripted_origin):
    def script(conn):
        conn.recv(65536)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    edge = make_edge({"app": scripted_origin(script).origin("protocol: auto")})
    assert get(edge) == "ok"


def test_http_1_1_required(make_edge, h2_origin, authority, internal):
    """A server that agrees to HTTP/2 and then wants HTTP/1.1 gets that, and is not asked again."""
    origin = h2_origin(lambda c, r: c.refuse(r, h2.errors.ErrorCodes.HTTP_1_1_REQUIRED),
                       tls=internal)
    edge = make_edge({"app": origin.origin(tls(authority))})
    for _ in range(3):
        assert get(edge) == "h1"
    assert len(origin.connections) == 1
    edge.settled()


def test_heads_trailers_and_what_has_no_content(make_edge, h2_origin):
    seen = []

    def asked(c, r):
        seen.append(r)
        if r.path == "/trailers":
            c.respond(r, body=b"abc", trailers=[("x-sum", "1")])
        else:
            c.respond(r, int(r.path[1:]), fields=[("content-length", "5")]
                      if r.path == "/304" else ())

    origin = h2_origin(asked)
    edge = make_edge({"app": origin.origin()})
    for status in (204, 304):
        got = edge.curl("-i", edge.url(f"/{status}")).stdout
        assert got.startswith(f"HTTP/1.1 {status} ")
    got = edge.curl("-I", edge.url("/200")).stdout
    assert got.startswith("HTTP/1.1 200 ")
    with Client(edge) as client:
        got = client.get("/trailers")
        assert got.body == b"abc" and got.trailers == {"x-sum": "1"}
    r = seen[0]
    assert r.fields[":scheme"] == "http" and r.fields[":authority"].startswith(HOST)
    assert "host" not in r.fields and "connection" not in r.fields and "via" in r.fields
    edge.settled()


def test_expectation_of_a_client(make_edge, h2_origin, tmp_path):
    def begun(c, r):
        c.h2.send_headers(r.stream, [(":status", "100")])

    origin = h2_origin(lambda c, r: c.respond(r, body=b"%d" % len(r.body)))
    origin.begun = begun
    edge = make_edge({"app": origin.origin()})
    (tmp_path / "body").write_bytes(b"x" * 2000000)
    assert get(edge, "/", "-H", "Expect: 100-continue", "-T", tmp_path / "body") == "2000000"
    edge.settled()


def test_large_bodies_both_ways(make_edge, h2_origin, tmp_path):
    body = bytes(range(256)) * 60000
    origin = h2_origin(lambda c, r: c.respond(r, body=r.body))
    edge = make_edge({"app": origin.origin()})
    (tmp_path / "body").write_bytes(body)
    for http2 in (False, True):
        got = edge.curl("-H", "Expect:", "--data-binary", f"@{tmp_path / 'body'}", edge.url("/"),
                        text=False, http2=http2).stdout
        assert got == body
    c = edge.settled()
    assert c["edge_end_done_total"] == 2 and c["olink_connects_total"] == 1


def test_a_slow_reader_does_not_hold_up_others(make_edge, h2_origin):
    def asked(c, r):
        c.respond(r, body=b"x" * (40000000 if r.path == "/big" else 300000))

    origin = h2_origin(asked)
    edge = make_edge({"app": origin.origin()})
    with edge.connect() as slow:
        slow.sendall(f"GET /big HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        slow.recv(1000)
        for _ in range(20):
            assert len(get(edge, "/other")) == 300000
        assert len(origin.connections) == 1
    edge.settled()


def test_a_server_that_answers_no_ping(make_edge, h2_origin):
    """Its program hangs, or does one thing at a time: TCP acknowledges all, and nothing comes. What
    is under way has the time that it may take; others go by another connection after 20 s."""
    origin = h2_origin()
    edge = make_edge({"app": origin.origin("timeout: {response: 24s}")})
    assert get(edge) == "0"
    origin.deaf.set()
    done = subprocess.run(
        ["curl", "-q", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "60",
         "--cacert", edge.authority.certificate, "--resolve", f"{HOST}:{edge.port}:127.0.0.1",
         edge.url("/")], stdout=subprocess.PIPE, text=True, check=True)
    origin.deaf.clear()
    assert done.stdout == "504"
    assert edge.counters()["olink_retries_total"] == 0
    assert edge.counters()["olink_h2_sessions_total"] == 1
    assert get(edge) == "1"
    assert edge.counters()["olink_h2_sessions_total"] == 2
    edge.settled()


def test_a_broken_connection_fails_only_what_cannot_be_repeated(make_edge, h2_origin):
    hold = threading.Event()

    def asked(c, r):
        if hold.is_set():
            c.respond(r, body=b"x")
        elif len(c.requests) == 4:
            hold.set()
            c.socket.shutdown(socket.SHUT_RDWR)

    origin = h2_origin(asked)
    edge = make_edge({"app": origin.origin()}, {"/": ("app", "retries: 2")})
    with Client(edge) as client:
        streams = [client.ask(method=m) for m in ("GET", "POST", "PUT", "GET")]
        status = [client.finish(s).status for s in streams]
    assert status[0] == 200 and status[3] == 200
    assert status[1] == 502
    edge.settled()


@pytest.mark.parametrize("is_open", [True, False])
def test_websocket_over_extended_connect(make_edge, h2_origin, is_open):
    """A client's WebSocket of HTTP/1.1 becomes a stream of the origin's connection, once its SETTINGS
    have come."""
    opened = []

    def begun(c, r):
        if r.method != "CONNECT":
            return
        opened.append(r.fields)
        c.h2.send_headers(r.stream, [(":status", "200")])
        c.h2.send_data(r.stream, b"hello")

    origin = h2_origin(settings={h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL: 1})
    origin.begun = begun
    edge = make_edge({"app": origin.origin()})
    if is_open:
        assert get(edge) == "0"
    with edge.connect() as s:
        s.sendall(f"GET /chat HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\n"
                  "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
        data = b""
        while b"hello" not in data:
            got = s.recv(65536)
            assert got, data
            data += got
        assert data.startswith(b"HTTP/1.1 101 ")
        assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in data
    assert opened[0][":protocol"] == "websocket" and opened[0][":path"] == "/chat"
    assert "sec-websocket-key" not in opened[0]
    edge.settled()


def test_first_websocket_where_the_origin_takes_none(make_edge, h2_origin):
    """It waits for SETTINGS, which say so."""
    edge = make_edge({"app": h2_origin().origin()})
    got = edge.curl("--http1.1", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Connection: Upgrade",
                    "-H", "Upgrade: websocket", "-H", "Sec-WebSocket-Version: 13",
                    "-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", edge.url("/chat")).stdout
    assert got == "502"
    edge.settled()


def test_websocket_where_the_origin_takes_none_by_h2(make_edge, h2_origin, authority, internal):
    origin = h2_origin(tls=internal)
    edge = make_edge({"app": origin.origin(tls(authority))})
    assert get(edge) == "0"
    with edge.connect() as s:
        s.sendall(f"GET /chat HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\n"
                  "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
        assert s.recv(65536).startswith(b"HTTP/1.1 426 ")
    assert origin.http1 == 1
    edge.settled()


def test_warm_connections_are_one_for_each_worker(make_edge, h2_origin):
    origin = h2_origin()
    edge = make_edge({"app": origin.origin("pool: {warm: 1}")}, workers=2)
    perigee.wait_for(lambda: len(origin.connections) == 2, "a connection for each worker")
    many(edge, 20)
    c = edge.settled()
    assert c["olink_connects_total"] == 0 and len(origin.connections) == 2


def close_at_once(sock):
    pass


def say_goaway(sock):
    sock.sendall(bytes.fromhex("000000040000000000" "0000080700000000000000000000000000"))
    sock.recv(65536)
    while sock.recv(65536):
        pass


def answer_by_http1(sock):
    sock.recv(65536)
    sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize("by_tls, serve, workers", [
    (True, close_at_once, 1), (True, say_goaway, 1), (True, say_goaway, 2),
    (False, close_at_once, 2), (False, answer_by_http1, 1)])
def test_a_server_that_ends_each_session_at_once_is_given_a_rest(make_edge, h2_origin, authority,
                                                                 internal, by_tls, serve, workers):
    """What is opened ahead of need: each attempt comes later than the one before."""
    came = []

    class Origin(Connection):
        def run(self):
            came.append(time.monotonic())
            serve(self.socket)

    origin = h2_origin(tls=internal if by_tls else None, connection=Origin)
    make_edge({"app": origin.origin("pool: {warm: 1}" + (f", {tls(authority)}" if by_tls else ""))},
              workers=workers)
    perigee.wait_for(lambda: len(came) > 3 * workers, "the fourth attempt")
    # At the least, for up to a half of each wait is left out by chance.
    assert came[3 * workers] - came[0] >= (0.25 + 0.5 + 1) / 2


def test_reload_that_drops_the_origin_closes_its_connection(make_edge, h2_origin, certificate):
    origin = h2_origin()
    edge = make_edge({"app": origin.origin()})
    assert get(edge) == "0"
    edge.write({"www": ([HOST], [certificate], {"/": "app"})},
               {"app": 'servers: ["127.0.0.1:1"], health: {enabled: false}'})
    edge.reload()
    edge.wait_counter("olink_idle_connections", 0)


@pytest.mark.parametrize("connections", [1, 2])
def test_idle_sessions_make_room_for_other_workers(make_edge, h2_origin, connections):
    """Loops do not share a session: one that nobody uses is closed when another worker waits."""
    origin = h2_origin()
    edge = make_edge({"app": origin.origin(f"limit: {{connections: {connections}}}")}, workers=4)
    for _ in range(24):
        get(edge)  # over a connection of its own, which any worker may get
    c = edge.settled()
    assert c["edge_end_done_total"] == 24 and c["olink_queue_timeouts_total"] == 0
    assert c["olink_gave_way_total"] > 0


def test_workers_take_turns_with_few_sessions(make_edge, h2_origin):
    """All sessions are in use all the time: what waits at another worker comes next, and not after
    what those who have given way have been asked meanwhile."""
    def asked(c, r):
        threading.Timer(0.02, answer, (c, r)).start()

    def answer(c, r):
        with c.lock, contextlib.suppress(OSError):
            c.respond(r, body=b"x")
            c.pump()
            c.flush()

    def ask():
        with Client(edge) as client:
            streams = [client.ask() for _ in range(2)]
            end = time.monotonic() + 10
            while time.monotonic() < end:
                status.append(client.finish(streams.pop(0)).status)
                streams.append(client.ask())
            status.extend(client.finish(s).status for s in streams)

    status = []
    origin = h2_origin(asked)
    edge = make_edge({"app": origin.origin("limit: {connections: 2}")}, workers=4)
    clients = [threading.Thread(target=ask) for _ in range(12)]
    for t in clients:
        t.start()
    for t in clients:
        t.join()
    assert set(status) == {200}
    c = edge.settled()
    assert c["olink_queue_timeouts_total"] == 0 and c["olink_gave_way_total"] > 0


def test_a_long_response_does_not_keep_all_workers_waiting(make_edge, h2_origin):
    """The only session does not end for as long: it is of use to its own worker still."""
    def asked(c, r):
        if r.path != "/long":
            c.respond(r, body=b"x")

    def ask_elsewhere():
        while not over.is_set():
            elsewhere.append(edge.curl("-o", "/dev/null", "-w", "%{http_code}",
                                       edge.url("/")).stdout)

    elsewhere, over = [], threading.Event()
    origin = h2_origin(asked)
    edge = make_edge({"app": origin.origin("limit: {connections: 1}, timeout: {queue: 4s}")},
                     workers=2)
    with Client(edge) as client:
        client.ask("/long")
        others = [threading.Thread(target=ask_elsewhere) for _ in range(4)]
        for t in others:
            t.start()
        status = []
        while elsewhere.count("503") < 4:
            status.append(client.finish(client.ask("/")).status)
        over.set()
        assert set(status) == {200}
    for t in others:
        t.join()
    edge.settled()


@pytest.mark.skipif(shutil.which("nghttpd") is None, reason="nghttpd is not here")
def test_nghttpd(make_edge, authority, internal, tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "big").write_bytes(bytes(range(256)) * 4000)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    server = subprocess.Popen(["nghttpd", "-d", tmp_path / "root", str(port), internal[1],
                               internal[0]], stdout=subprocess.DEVNULL)
    try:
        edge = make_edge({"app": f'servers: ["127.0.0.1:{port}"], health: {{enabled: false}}, '
                                 f"{tls(authority)}"}, {"/": ("app", "retries: 3")})

        def served():
            return edge.curl("-o", "/dev/null", "-w", "%{http_code}",
                             edge.url("/big")).stdout == "200"

        perigee.wait_for(served, "nghttpd to serve")
        for g in many(edge, 20, "/big"):
            assert g.body == bytes(range(256)) * 4000
        assert edge.settled()["olink_h2_sessions_total"] >= 1
    finally:
        server.kill()
        server.wait()
