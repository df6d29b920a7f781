# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: HTTP through it, with real clients and raw ones."""

import hashlib
import json
import signal
import socket
import ssl
import threading

import pytest

import perigee
from edge_fleet import HOST, Responses, ScriptedOrigin, Sending, read_head, read_to_end


@pytest.fixture
def edge(make_edge, origin):
    return make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"], health: {{check: {{path: /health}}}}'})


def test_methods_and_framings(edge):
    got = edge.curl("-i", edge.url("/chunked/100000"), edge.url("/bytes/5")).stdout
    assert got.count("HTTP/1.1 200 OK") == 2 and got.count("Transfer-Encoding: chunked") == 1
    head = edge.curl("-I", edge.url("/bytes/12345")).stdout.lower()
    assert "http/1.1 200" in head
    assert edge.curl("-d", "a=1&b=2", edge.url("/echo")).stdout == "a=1&b=2"
    assert edge.curl("-d", "chunked body", "-H", "Transfer-Encoding: chunked",
                     edge.url("/echo")).stdout == "chunked body"
    assert edge.curl("-X", "PUT", "-d", "", edge.url("/echo")).stdout == ""
    assert "204" in edge.curl("-i", edge.url("/status/204")).stdout.splitlines()[0]
    assert "304" in edge.curl("-i", edge.url("/status/304")).stdout.splitlines()[0]
    c = edge.settled()
    assert c["edge_requests_total"] == 8
    assert c["edge_responses_2xx_total"] == 7 and c["edge_responses_3xx_total"] == 1
    assert c["edge_end_done_total"] == 8
    assert c["edge_connections_total"] == 7 == c["edge_handshakes_total"]
    assert c["olink_leases_fresh_total"] + c["olink_leases_reused_total"] == 8


def test_what_the_origin_sees(edge):
    seen = edge.curl(
        edge.url("/fields?q=1"), "-H", "X-Forwarded-For: 6.6.6.6", "-H", "Forwarded: for=6.6.6.6",
        "-H", "X-Forwarded-Port: 1", "-H", "Connection: X-Secret", "-H", "X-Secret: 1",
        "-H", "TE: trailers", "-H", "Keep-Alive: 5", "-H", "Via: 1.0 other",
    ).stdout
    lines = seen.splitlines()
    assert lines[0].endswith("/fields?q=1") or "/fields?q=1" in lines[0]
    assert "X-Forwarded-For: 127.0.0.1" in lines
    assert "X-Forwarded-Proto: https" in lines
    assert f"X-Forwarded-Host: {HOST}:{edge.port}" in lines
    assert f'Forwarded: for=127.0.0.1;host="{HOST}:{edge.port}";proto=https' in lines
    assert "Via: 1.0 other, 1.1 perigee-fra1" in lines
    assert f"Host: {HOST}:{edge.port}" in lines
    assert "TE: trailers" in lines and "Connection: TE" in lines
    for gone in ("6.6.6.6", "X-Secret", "Keep-Alive", "X-Forwarded-Port"):
        assert gone not in seen


def test_trusted_proxy_is_believed(make_edge, origin):
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"]'},
                     http='trusted_proxies: ["127.0.0.0/8"]')
    lines = edge.curl(edge.url("/fields"), "-H", "X-Forwarded-For: 192.0.2.7",
                      "-H", "X-Forwarded-Proto: http",
                      "-H", "Forwarded: for=192.0.2.7").stdout.splitlines()
    assert "X-Forwarded-For: 192.0.2.7, 127.0.0.1" in lines
    assert "X-Forwarded-Proto: http" in lines
    assert any(line.startswith("Forwarded: for=192.0.2.7, for=127.0.0.1;") for line in lines)


@pytest.mark.parametrize("path", ["bytes", "chunked"])
def test_large_download(edge, origin, tmp_path, path):
    size = 40 * 1000 * 1000 + 17
    edge.curl("-o", tmp_path / "through", edge.url(f"/{path}/{size}"))
    edge.curl("-o", tmp_path / "direct", f"http://127.0.0.1:{origin.port}/bytes/{size}")
    sums = {hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("through", "direct")}
    assert len(sums) == 1 and (tmp_path / "through").stat().st_size == size
    c = edge.settled()
    assert c["edge_end_done_total"] == 1 and c["edge_client_bytes_sent_total"] > size


@pytest.mark.parametrize("chunked", [False, True])
def test_large_upload_comes_back(edge, tmp_path, chunked):
    data = hashlib.shake_256(b"perigee").digest(20 * 1000 * 1000 + 3)
    (tmp_path / "in").write_bytes(data)
    more = ["-H", "Transfer-Encoding: chunked"] if chunked else []
    got = edge.curl("-T", tmp_path / "in", *more, edge.url("/echo"), text=False).stdout
    assert hashlib.sha256(got).digest() == hashlib.sha256(data).digest()
    assert edge.settled()["edge_end_done_total"] == 1


def test_keep_alive_reuses_the_origin_connection(edge):
    with edge.connect() as s:
        r = Responses(s)
        for i in range(20):
            s.sendall(f"GET /bytes/{i * 100} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            status, _, body = r.response()
            assert status == 200 and len(body) == i * 100
    edge.wait_counter("edge_connections_active", 0)
    c = edge.settled()
    assert c["edge_connections_total"] == 1 and c["edge_requests_total"] == 20
    assert c["olink_leases_reused_total"] >= 19
    assert c["edge_connection_end_client_closed_total"] == 1


def test_pipelining_keeps_order_and_is_bounded(edge):
    n = 3000
    requests = b"".join(
        f"GET /bytes/{i % 700} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode() for i in range(n)
    )
    with edge.connect() as s:
        r = Responses(Sending(s, requests))
        for i in range(n):
            status, _, body = r.response()
            assert (status, len(body)) == (200, i % 700)
    c = edge.settled()
    assert c["edge_requests_total"] == n == c["edge_end_done_total"]


def test_pipelined_after_a_body(edge):
    with edge.connect() as s:
        s.sendall(
            f"POST /echo HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n"
            "5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n"
            f"POST /echo HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 3\r\n\r\nabc"
            f"GET /bytes/4 HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()
        )
        r = Responses(s)
        assert r.response()[2] == b"hello world"
        assert r.response()[2] == b"abc"
        status, fields, body = r.response()
        assert len(body) == 4 and fields["connection"] == "close"
        assert r.at_end()
    assert edge.settled()["edge_end_done_total"] == 3


def test_head_split_into_single_bytes(edge):
    with edge.connect() as s:
        for b in f"GET /bytes/3 HTTP/1.1\r\nHost: {HOST}\r\nX-Y: z\r\n\r\n".encode():
            s.sendall(bytes([b]))
        assert len(Responses(s).response()[2]) == 3


def test_expect_continue_is_relayed(scripted):
    def script(conn):
        head = read_head(conn)
        assert b"Expect: 100-continue" in head
        conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = conn.recv(5)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + body)

    edge = scripted(script)
    with edge.connect() as s:
        s.sendall(f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 5\r\n"
                  "Expect: 100-continue\r\n\r\n".encode())
        r = Responses(s)
        assert r.head()[0] == 100
        s.sendall(b"12345")
        status, fields, body = r.response()
        assert (status, body) == (200, b"12345") and "connection" not in fields
    c = edge.settled()
    assert c["edge_responses_1xx_total"] == 1 and c["edge_responses_2xx_total"] == 1


def test_expectation_refused_by_the_origin_closes(scripted):
    def script(conn):
        read_head(conn)
        conn.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")

    edge = scripted(script)
    got, orderly = edge.exchange(
        f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 5\r\n"
        "Expect: 100-continue\r\n\r\n".encode())
    assert got.startswith(b"HTTP/1.1 401 ") and b"Connection: close\r\n" in got
    assert got.endswith(b"no") and orderly


def test_informational_responses(scripted):
    def script(conn):
        while read_head(conn):
            conn.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
                         b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    edge = scripted(script)
    with edge.connect() as s:
        s.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        r = Responses(s)
        status, fields = r.head()
        assert status == 103 and fields["link"] == "</x>"
        assert r.response()[0] == 200
    got, _ = edge.exchange(f"GET / HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode())
    assert got.startswith(b"HTTP/1.1 200 ") and b"103" not in got


def test_http_1_0_clients(edge):
    got, orderly = edge.exchange(f"GET /chunked/5000 HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode())
    head, _, body = got.partition(b"\r\n\r\n")
    assert b"Transfer-Encoding" not in head and b"Connection: close" in head
    assert len(body) == 5000 and orderly
    with edge.connect() as s:
        r = Responses(s)
        for _ in range(2):
            s.sendall(f"GET /bytes/7 HTTP/1.0\r\nHost: {HOST}\r\n"
                      "Connection: keep-alive\r\n\r\n".encode())
            status, fields, body = r.response()
            assert len(body) == 7 and fields["connection"] == "keep-alive"


def test_response_without_length_becomes_chunked(scripted):
    def script(conn):
        read_head(conn)
        conn.sendall(b"HTTP/1.0 200 OK\r\n\r\nuntil the end")

    edge = scripted(script)
    with edge.connect() as s:
        s.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        status, fields, body = Responses(s).response()
        assert fields["transfer-encoding"] == "chunked" and body == b"until the end"
        assert fields["via"] == "1.0 perigee-fra1" and "date" in fields


def test_trailers_pass(scripted):
    def script(conn):
        read_head(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
                     b"3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n")

    edge = scripted(script)
    with edge.connect() as s:
        s.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        got, orderly = read_to_end(s)
    assert got.endswith(b"3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n") and orderly


def test_our_own_answers(edge):
    with edge.connect() as s:
        r = Responses(s)
        for request, status in (
            ("GET /.well-known/perigee/health HTTP/1.1\r\nHost: anything", 200),
            ("GET /.well-known/perigee/health?x HTTP/1.1\r\nHost: anything", 200),
            ("GET / HTTP/1.1\r\nHost: other.test", 421),
            ("TRACE / HTTP/1.1\r\nHost: " + HOST, 405),
            ("OPTIONS / HTTP/1.1\r\nMax-Forwards: 0\r\nHost: " + HOST, 200),
            ("GET / HTTP/1.1\r\nVia: 1.1 perigee-fra1, 1.1 x\r\nVia: 1.1 PERIGEE-fra1 (y)\r\n"
             "Host: " + HOST, 508),
        ):
            s.sendall(f"{request}\r\n\r\n".encode())
            got, fields, body = r.response()
            assert got == status, request
            assert "date" in fields and fields["content-type"].startswith("text/plain")
            assert (body == b"ok\n") == (got == 200)
            if got == 405:
                assert "GET" in fields["allow"]
    c = edge.settled()
    assert c["edge_requests_total"] == 6 and c["edge_end_done_total"] == 5
    assert c["edge_end_client_misdirected_total"] == 1
    assert c["olink_requests_total"] == 0
    assert edge.curl("-I", edge.url("/", "no.test"), host="no.test", check=False).returncode != 0


def test_paths_go_to_their_origins(scripted, make_edge, origin):
    other = ScriptedOrigin(lambda conn: (read_head(conn), conn.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nother")))
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"]', "other": other.origin()},
                     routes={"/bytes": "app", "/api": "other"})
    assert edge.curl(edge.url("/api")).stdout == "other"
    assert edge.curl(edge.url("/api/x?y")).stdout == "other"
    assert len(edge.curl(edge.url("/bytes/10")).stdout) == 10
    assert "404" in edge.curl("-i", edge.url("/apix")).stdout.splitlines()[0]
    assert "404" in edge.curl("-i", edge.url("/")).stdout.splitlines()[0]
    other.close()


H = f"Host: {HOST}\r\n"
SMUGGLING = [
    ("CL and TE", f"POST / HTTP/1.1\r\n{H}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
     "0\r\n\r\n", 400),
    ("two CL", f"POST / HTTP/1.1\r\n{H}Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", 400),
    ("CL list", f"POST / HTTP/1.1\r\n{H}Content-Length: 4, 4\r\n\r\nabcd", 400),
    ("CL sign", f"POST / HTTP/1.1\r\n{H}Content-Length: +4\r\n\r\nabcd", 400),
    ("CL huge", f"POST / HTTP/1.1\r\n{H}Content-Length: 99999999999999999999\r\n\r\n", 400),
    ("TE in 1.0", f"POST / HTTP/1.0\r\n{H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("TE twice", f"POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
    ("TE identity", f"POST / HTTP/1.1\r\n{H}Transfer-Encoding: identity\r\n\r\n", 400),
    ("TE gzip", f"POST / HTTP/1.1\r\n{H}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    ("TE with tab name", f"POST / HTTP/1.1\r\n{H}Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n", 400),
    ("space before colon", f"GET / HTTP/1.1\r\nHost : {HOST}\r\n\r\n", 400),
    ("folded line", f"GET / HTTP/1.1\r\n{H}A: b\r\n c\r\n\r\n", 400),
    ("bare LF", f"GET / HTTP/1.1\nHost: {HOST}\n\n", 400),
    ("bare CR in value", f"GET / HTTP/1.1\r\n{H}A: b\rc\r\n\r\n", 400),
    ("NUL in value", f"GET / HTTP/1.1\r\n{H}A: b\0c\r\n\r\n", 400),
    ("no Host", "GET / HTTP/1.1\r\n\r\n", 400),
    ("two Host", f"GET / HTTP/1.1\r\n{H}{H}\r\n", 400),
    ("bad Host", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ("double space", f"GET  / HTTP/1.1\r\n{H}\r\n", 400),
    ("no version", "GET /\r\n\r\n", 400),
    ("HTTP/2.0", f"GET / HTTP/2.0\r\n{H}\r\n", 505),
    ("h2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("TLS inside", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n", 400),
    ("long target", f"GET /{'a' * 9000} HTTP/1.1\r\n{H}\r\n", 414),
    ("long field", f"GET / HTTP/1.1\r\n{H}A: {'a' * 40000}\r\n\r\n", 431),
    ("many fields", f"GET / HTTP/1.1\r\n{H}" + "a: b\r\n" * 101 + "\r\n", 431),
    ("expectation", f"POST / HTTP/1.1\r\n{H}Expect: a-pony\r\nContent-Length: 1\r\n\r\n", 417),
]


def test_smuggling_attempts_are_refused_and_closed(edge):
    for name, request, status in SMUGGLING:
        # What follows must never be taken for a request.
        got, orderly = edge.exchange(request.encode("latin-1") + f"GET /hidden HTTP/1.1\r\n{H}\r\n".encode())
        assert got.startswith(f"HTTP/1.1 {status} ".encode()), (name, got[:200])
        assert b"Connection: close\r\n" in got and orderly, name
        assert got.count(b"HTTP/1.1 ") == 1, name
    edge.wait_counter("edge_end_client_malformed_total", len(SMUGGLING))
    edge.wait_counter("edge_connections_active", 0)
    assert edge.settled()["olink_requests_total"] == 0


BAD_BODIES = [
    "5\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n", "5\r\nhelloX\r\n",
    "fffffffffffffffff\r\n", " 5\r\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n\0", "zz\r\n",
    "0\r\nbad trailer\r\n\r\n",
]


def test_malformed_chunks_end_the_connection(edge):
    bad = [b for b in BAD_BODIES if b != "5 \r\nhello\r\n0\r\n\r\n\0"]
    for body in bad:
        got, _ = edge.exchange(
            f"POST /echo HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n{body}"
            f"GET /hidden HTTP/1.1\r\n{H}\r\n".encode("latin-1"))
        assert got.startswith(b"HTTP/1.1 400 "), (body, got[:200])
        assert got.count(b"HTTP/1.1 ") == 1, body
    edge.wait_counter("edge_end_client_malformed_total", len(bad))
    edge.wait_counter("edge_requests_active", 0)
    assert edge.curl(edge.url("/bytes/1")).returncode == 0


def test_slow_head_gets_408(make_edge, origin):
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"]'},
                     http="timeout: {head: 100ms}")
    got, orderly = edge.exchange(b"GET / HTTP/1.1\r\nHost: ")
    assert got.startswith(b"HTTP/1.1 408 ") and b"Connection: close" in got and orderly
    c = edge.settled()
    assert c["edge_end_client_head_timeout_total"] == 1 and c["edge_responses_4xx_total"] == 1


def test_slow_body_gets_408(make_edge, origin):
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"]'},
                     http="timeout: {body: 100ms}")
    got, orderly = edge.exchange(f"POST /echo HTTP/1.1\r\n{H}Content-Length: 9\r\n\r\nabc".encode())
    assert got.startswith(b"HTTP/1.1 408 ") and orderly
    edge.wait_counter("edge_end_client_body_timeout_total", 1)


def test_body_that_came_with_its_head_is_not_waited_for(scripted):
    """Its deadline stayed set: the client of a slow origin lost its connection."""
    timed_out = threading.Event()

    def script(conn):
        while head := read_head(conn):
            if b"/whole" in head:
                assert timed_out.wait(perigee.PATIENCE)
                conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    edge = scripted(script, http="timeout: {body: 100ms}")
    with edge.connect() as s:
        r = Responses(s)
        for _ in range(2):
            s.sendall(f"POST /whole HTTP/1.1\r\n{H}Content-Length: 3\r\n\r\nabc".encode())
            # Another one's time, which began later, is over first.
            edge.wait_counter("edge_requests_active", 1)
            got, _ = edge.exchange(f"POST /part HTTP/1.1\r\n{H}Content-Length: 9\r\n\r\nabc".encode())
            assert got.startswith(b"HTTP/1.1 408 ")
            timed_out.set()
            status, fields, body = r.response()
            assert (status, body) == (200, b"ok") and "connection" not in fields
            timed_out.clear()
    assert edge.settled()["edge_end_done_total"] == 2


def test_empty_line_is_no_request(make_edge, origin):
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"]'},
                     http="timeout: {head: 100ms}")
    assert edge.exchange(b"\r\n") == (b"", True)
    got, _ = edge.exchange(f"\r\nGET /bytes/2 HTTP/1.0\r\n{H}\r\n".encode())
    assert got.startswith(b"HTTP/1.1 200 ")
    c = edge.settled()
    assert c["edge_requests_total"] == 1 and c["edge_connection_end_client_idle_timeout_total"] == 1


def test_idle_connection_is_closed(make_edge, origin):
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"]'},
                     http="timeout: {keep_alive: 100ms}")
    with edge.connect() as s:
        s.sendall(f"GET /bytes/1 HTTP/1.1\r\n{H}\r\n".encode())
        r = Responses(s)
        assert r.response()[0] == 200
        assert r.at_end()
    edge.wait_counter("edge_connection_end_client_idle_timeout_total", 1)


def test_client_that_takes_nothing_is_cut_off(make_edge, origin):
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"]'},
                     http="timeout: {write: 200ms}")
    with edge.connect() as s:
        s.sendall(f"GET /bytes/50000000 HTTP/1.1\r\n{H}\r\n".encode())
        edge.wait_counter("edge_end_client_write_timeout_total", 1)
        got, orderly = read_to_end(s)
        assert len(got) < 50000000 and not orderly
    edge.wait_counter("edge_requests_active", 0)


def test_dead_origin(make_edge, tmp_path):
    closed = socket.create_server(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    server = f'servers: ["127.0.0.1:{port}"]'
    edge = make_edge({"try": f"{server}, all_down: try", "refuse": f"{server}, all_down: refuse"},
                     routes={"/": "try", "/refuse": "refuse"})
    edge.wait_counter("edge_requests_active", 0)
    perigee.wait_for(lambda: "down" in json.dumps(edge.status()["origins"]), "the origin to be down")
    got = edge.curl("-i", edge.url("/")).stdout
    assert got.startswith("HTTP/1.1 502 ") and "502 Bad Gateway" in got
    got = edge.curl("-i", edge.url("/refuse")).stdout
    assert got.startswith("HTTP/1.1 503 ") and "Retry-After: " in got
    # A body that nobody wants does not keep the answer back.
    (tmp_path / "body").write_bytes(b"x" * 1000000)
    got = edge.curl("-i", "-T", tmp_path / "body", "-H", "Expect:", edge.url("/refuse")).stdout
    assert got.startswith("HTTP/1.1 503 ")
    c = edge.settled()
    assert c["edge_end_origin_connect_refused_total"] == 1
    assert c["edge_end_origin_all_down_total"] == 2 and c["edge_responses_5xx_total"] == 3


def test_slow_origin_gets_504(scripted):
    edge = scripted(lambda conn: read_head(conn) and conn.recv(1), "timeout: {response: 100ms}")
    got = edge.curl("-i", edge.url("/")).stdout
    assert got.startswith("HTTP/1.1 504 ")
    assert edge.settled()["edge_end_origin_head_timeout_total"] == 1


@pytest.mark.parametrize("response, status, reason", [
    (b"", 502, "closed"),
    (b"garbage\r\n\r\n", 502, "malformed"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 502, "malformed"),
    (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", 502, "malformed"),
    (b"HTTP/1.1 200 OK\r\nContent-", 502, "truncated"),
])
def test_bad_origin_gets_502(scripted, response, status, reason):
    def script(conn):
        if read_head(conn):
            conn.sendall(response)

    edge = scripted(script)
    got = edge.curl("-i", edge.url("/")).stdout
    assert got.startswith(f"HTTP/1.1 {status} "), got
    assert edge.settled()[f"edge_end_origin_{reason}_total"] == 1


def test_origin_that_fills_the_arena_gets_502(scripted):
    """The client was cut off: there was no room left to say so."""
    def script(conn):
        read_head(conn)
        for _ in range(1000):
            conn.sendall(b"HTTP/1.1 103 Early Hints\r\nA: " + b"a" * 1000 + b"\r\n\r\n")

    edge = scripted(script)
    with edge.connect() as s:
        r = Responses(s)
        s.sendall(f"GET / HTTP/1.1\r\n{H}\r\n".encode())
        status, fields = r.head()
        assert status == 103
        while status == 103:
            status, fields = r.head()
        assert status == 502 and b"502" in r.body(fields)
    assert edge.settled()["edge_end_origin_malformed_total"] == 1


@pytest.mark.parametrize("head", [b"Content-Length: 100", b"Transfer-Encoding: chunked"])
def test_truncation_is_visible(scripted, head):
    def script(conn):
        read_head(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n5\r\nhello\r\n")

    edge = scripted(script)
    got, orderly = edge.exchange(f"GET / HTTP/1.1\r\n{H}\r\n".encode())
    assert got.startswith(b"HTTP/1.1 200 ") and not orderly
    assert not got.endswith(b"0\r\n\r\n")
    assert edge.curl(edge.url("/"), check=False).returncode != 0
    edge.wait_counter("edge_end_origin_truncated_total", 2)


def test_early_response_while_the_body_is_still_coming(scripted):
    def script(conn):
        read_head(conn)
        conn.sendall(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno!")

    edge = scripted(script)
    with edge.connect() as s:
        s.sendall(f"POST / HTTP/1.1\r\n{H}Content-Length: 1000000000\r\n\r\n".encode() + b"x" * 1000)
        status, _, body = Responses(s).response()
        assert (status, body) == (413, b"no!")
        # The rest is read away for a while, then the connection ends.
        with pytest.raises(OSError):
            while True:
                s.sendall(b"x" * 65536)
    edge.wait_counter("edge_connections_active", 0)


def test_client_abort_cancels_the_request(scripted):
    ended = threading.Event()
    begun = threading.Event()

    def script(conn):
        read_head(conn)
        begun.set()
        if conn.recv(1) == b"":
            ended.set()

    edge = scripted(script)
    s = edge.connect()
    s.sendall(f"GET / HTTP/1.1\r\n{H}\r\n".encode())
    assert begun.wait(perigee.PATIENCE)
    # A process that is killed: a FIN without close_notify.
    socket.socket.close(s)
    assert ended.wait(perigee.PATIENCE)
    edge.wait_counter("edge_requests_active", 0)
    c = edge.settled()
    assert c["edge_end_client_closed_total"] + c["edge_end_client_reset_total"] == 1


def test_abort_in_the_middle_of_an_upload(edge):
    s = edge.connect()
    s.sendall(f"POST /echo HTTP/1.1\r\n{H}Content-Length: 1000000\r\n\r\nabc".encode())
    edge.wait_counter("edge_requests_active", 1)
    s.close()
    edge.wait_counter("edge_requests_active", 0)
    edge.wait_counter("olink_active_connections", 0)


def test_half_closed_client_still_gets_its_response(edge):
    s = edge.connect()
    s.sendall(f"GET /delay/50 HTTP/1.1\r\n{H}\r\n".encode())
    # gnutls-cli does this at the end of its input; Python's unwrap() sends close_notify and waits.
    s.setblocking(False)
    with pytest.raises(ssl.SSLWantReadError):
        s.unwrap()
    edge.wait_counter("edge_end_done_total", 1)
    s.close()
    edge.wait_counter("edge_connections_active", 0)


def test_access_log_is_json_and_reopens(edge):
    edge.curl(edge.url('/fields?a="b\\'), "-H", "X: y")
    edge.curl("-d", "12345", edge.url("/echo"))

    def lines(path, n):
        perigee.wait_for(lambda: path.exists() and path.read_text().count("\n") >= n,
                         f"{n} lines in {path}")
        return [json.loads(line) for line in path.read_text().splitlines()]

    first, second = lines(edge.access_log_path, 2)
    assert first["target"] == '/fields?a="b\\' and first["status"] == 200
    assert first["client"] == "127.0.0.1" and first["tls"] == "TLS1.3"
    assert first["reused"] is False and first["end"] == "done"
    assert first["server"].startswith("127.0.0.1:") and first["origin"] == "app"
    assert second["method"] == "POST" and second["bytes_in"] == 5 == second["bytes"]
    assert second["reused"] is True
    old = edge.access_log_path.with_suffix(".1")
    edge.access_log_path.rename(old)
    edge.send_signal(signal.SIGUSR1)
    perigee.wait_for(edge.access_log_path.exists, "the new access log")
    edge.curl(edge.url("/"))
    assert lines(edge.access_log_path, 1)[0]["target"] == "/"
    assert old.read_text().count("\n") == 2


def test_nginx_as_origin(processes, make_edge, tmp_path):
    www = tmp_path / "www"
    www.mkdir()
    (www / "big").write_bytes(hashlib.shake_256(b"nginx").digest(5_000_000))
    (www / "small.txt").write_text("hello from nginx\n")
    probe = socket.create_server(("127.0.0.1", 0))
    port = probe.getsockname()[1]
    probe.close()
    conf = tmp_path / "nginx.conf"
    conf.write_text(f"""
daemon off; master_process off; worker_processes 1; pid {tmp_path}/nginx.pid;
error_log stderr; events {{ worker_connections 128; }}
http {{ access_log off; client_body_temp_path {tmp_path}/body; proxy_temp_path {tmp_path}/p;
fastcgi_temp_path {tmp_path}/f; uwsgi_temp_path {tmp_path}/u; scgi_temp_path {tmp_path}/s;
server {{ listen 127.0.0.1:{port}; root {www}; location = /seen {{
return 200 "$http_x_forwarded_for $http_x_forwarded_proto $host $http_via\\n"; }} }} }}
""")
    nginx = perigee.Process(["/usr/sbin/nginx", "-c", conf, "-p", tmp_path], tmp_path / "nginx.log")
    processes.append(nginx)

    def listening():
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    perigee.wait_for(listening, "nginx to listen")
    edge = make_edge({"app": f'servers: ["127.0.0.1:{port}"], health: {{check: {{path: /small.txt}}}}'})
    assert edge.curl(edge.url("/small.txt")).stdout == "hello from nginx\n"
    assert edge.curl(edge.url("/seen")).stdout == f"127.0.0.1 https {HOST} 1.1 perigee-fra1\n"
    big = edge.curl(edge.url("/big"), text=False).stdout
    assert big == (www / "big").read_bytes()
    part = edge.curl("-i", "-r", "10-19", edge.url("/big"), text=False).stdout
    assert part.startswith(b"HTTP/1.1 206 ") and part.endswith(big[10:20])
    etag = next(line.split(": ", 1)[1] for line in edge.curl("-I", edge.url("/big")).stdout.splitlines()
                if line.lower().startswith("etag"))
    assert "304" in edge.curl("-i", "-H", f"If-None-Match: {etag}", edge.url("/big")).stdout.splitlines()[0]
    assert "404" in edge.curl("-i", edge.url("/none")).stdout.splitlines()[0]
    c = edge.settled()
    assert c["edge_requests_total"] == 7 == c["edge_end_done_total"]
    assert c["olink_leases_reused_total"] >= 5
