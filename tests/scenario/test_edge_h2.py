# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: HTTP/2 through it, with real clients and with one that sees each frame."""

import hashlib
import signal
import struct
import subprocess
import threading

import pytest

import perigee
import rfc6455
from edge_fleet import HOST, read_head
from h2_client import Client, ErrorCodes, SettingCodes
from h2_frames import (ACK, CONTINUATION, DATA, GOAWAY, HEADERS, PING, PRIORITY, PRIORITY_UPDATE,
                       REFUSED_STREAM, RST_STREAM, SETTINGS, WINDOW_UPDATE, RawH2, frame, ping)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def edge(make_edge, origin):
    return make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"], health: {{enabled: false}}'})


def test_methods_and_framings(edge):
    def curl(*args):
        return edge.curl(*args, http2=True).stdout

    got = curl("-i", edge.url("/chunked/100000"), edge.url("/bytes/5"))
    assert got.count("HTTP/2 200") == 2 and "transfer-encoding" not in got
    assert "content-length: 5" in got
    assert curl("-I", edge.url("/bytes/12345")).startswith("HTTP/2 200")
    assert curl("-d", "a=1&b=2", edge.url("/echo")) == "a=1&b=2"
    assert curl("-T", "/dev/null", "-X", "POST", edge.url("/echo")) == ""
    assert curl("-X", "PUT", "-d", "", edge.url("/echo")) == ""
    assert curl("-i", edge.url("/status/204")).startswith("HTTP/2 204")
    assert curl("-i", edge.url("/status/304")).startswith("HTTP/2 304")
    c = edge.settled()
    assert c["edge_requests_total"] == 8 == c["edge_end_done_total"]
    assert c["edge_h2_connections_total"] == 7 == c["edge_connections_total"]


def test_large_contents_arrive_whole(edge, tmp_path):
    data = hashlib.sha256(b"h2").digest() * (5 << 15)
    (tmp_path / "up").write_bytes(data)
    got = edge.curl("--data-binary", f"@{tmp_path / 'up'}", edge.url("/echo"), http2=True,
                    text=False).stdout
    assert got == data
    got = edge.curl(edge.url("/bytes/20000000"), http2=True, text=False).stdout
    assert len(got) == 20000000


def test_nghttp_and_h2load(edge):
    url = f"https://localhost:{edge.port}/bytes/1000"
    got = subprocess.run(["nghttp", "-nv", "--no-verify-peer", "-H", f":authority: {HOST}", url],
                         capture_output=True, text=True, timeout=60, check=True).stdout
    assert ":status: 200" in got and "error_code=NO_ERROR" in got
    got = subprocess.run(["h2load", "-n", "2000", "-c", "4", "-m", "50",
                          "--connect-to", f"127.0.0.1:{edge.port}", edge.url("/bytes/1000")],
                         capture_output=True, text=True, timeout=120, check=True).stdout
    assert "2000 succeeded, 0 failed" in got
    assert edge.settled()["edge_end_done_total"] == 2001


def test_what_the_origin_sees(scripted):
    heads = []

    def script(conn):
        heads.append(read_head(conn).decode())
        conn.sendall(OK)

    edge = scripted(script)
    with Client(edge) as c:
        assert c.get("/a?b", fields=[("cookie", "a=1"), ("x", "y"), ("cookie", "b=2"),
                                     ("te", "trailers")]).body == b"ok"
        assert c.settings[SettingCodes.ENABLE_CONNECT_PROTOCOL] == 1
    lines = heads[0].split("\r\n")
    assert lines[0] == "GET /a?b HTTP/1.1" and f"Host: {HOST}" in lines
    assert "cookie: a=1; b=2" in lines and "x: y" in lines
    assert not any(line.startswith(":") for line in lines)


def test_trailers_pass_both_ways(scripted):
    asked = []

    def script(conn):
        data = read_head(conn)
        while b"\r\n\r\n" not in data.partition(b"\r\n\r\n")[2]:
            data += conn.recv(65536)
        asked.append(data.partition(b"\r\n\r\n")[2])
        conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                     b"2\r\nok\r\n0\r\nGrpc-Status: 0\r\n\r\n")

    edge = scripted(script)
    with Client(edge) as c:
        stream = c.ask(method="POST", body=b"content", end=False)
        c.h2.send_headers(stream, [("x-checksum", "1"), ("host", "evil")], end_stream=True)
        c.flush()
        s = c.finish(stream)
        assert s.status == 200 and s.body == b"ok" and s.trailers == {"grpc-status": "0"}
        # Trailers alone, after no content.
    assert asked[0] == b"7\r\ncontent\r\n0\r\nx-checksum: 1\r\n\r\n"


def test_informational_responses_pass(scripted):
    def script(conn):
        read_head(conn)
        conn.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK)

    edge = scripted(script)
    with Client(edge) as c:
        s = c.get()
        assert s.informational == [{":status": "103", "link": "</a>"}] and s.body == b"ok"


def test_content_waits_for_leave(scripted):
    """Expect: 100-continue."""
    def script(conn):
        read_head(conn)
        conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert conn.recv(100).endswith(b"content")
        conn.sendall(OK)

    edge = scripted(script)
    with Client(edge) as c:
        stream = c.ask(method="POST", end=False, fields=[("expect", "100-continue"),
                                                         ("content-length", "7")])
        c.until(lambda: c.streams[stream].informational)
        c.h2.send_data(stream, b"content", end_stream=True)
        c.flush()
        assert c.finish(stream).body == b"ok"


def test_client_that_resets_cancels_the_origins_request(scripted):
    gone = threading.Event()

    def script(conn):
        read_head(conn)
        assert conn.recv(1) == b""
        gone.set()

    edge = scripted(script)
    with Client(edge) as c:
        stream = c.ask()
        edge.wait_counter("edge_requests_active", 1)
        edge.wait_counter("olink_active_connections", 1)
        c.h2.reset_stream(stream, ErrorCodes.CANCEL)
        c.flush()
        assert gone.wait(perigee.PATIENCE)
        assert edge.settled()["edge_end_client_reset_total"] == 1


def test_client_can_tell_that_the_origin_died(scripted):
    def script(conn):
        read_head(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")

    edge = scripted(script)
    with Client(edge) as c:
        s = c.get()
        assert s.status == 200 and not s.ended and s.reset == ErrorCodes.INTERNAL_ERROR
        # The connection goes on.
        assert c.get("/.well-known/perigee/health").status == 200
    assert edge.settled()["edge_end_origin_truncated_total"] == 1


def test_response_before_the_request_has_ended(scripted):
    """It arrives whole, and then the client is told to send no more."""
    def script(conn):
        read_head(conn)
        conn.sendall(OK)

    edge = scripted(script)
    with Client(edge) as c:
        stream = c.ask(method="POST", end=False)
        s = c.streams[stream]
        c.until(lambda: s.ended)
        assert s.body == b"ok" and s.reset is None
        c.until(lambda: s.reset is not None)
        assert s.reset == ErrorCodes.NO_ERROR
    assert edge.settled()["edge_end_done_total"] == 1


def test_upload_waits_for_the_origin(scripted):
    """The client's window is not opened while the origin takes nothing, and memory is bounded."""
    go = threading.Event()

    def script(conn):
        left = (32 << 20) - len(read_head(conn).partition(b"\r\n\r\n")[2])
        assert go.wait(perigee.PATIENCE)
        while left > 0 and (data := conn.recv(1 << 20)):
            left -= len(data)
        conn.sendall(OK)

    edge = scripted(script)
    with Client(edge) as c:
        stream = c.ask(method="POST", end=False, fields=[("content-length", str(32 << 20))])
        sent = 0
        c.socket.settimeout(0.5)
        for _ in range(400):
            room = min(c.h2.local_flow_control_window(stream), 16384, (32 << 20) - sent)
            if room > 0:
                c.h2.send_data(stream, b"x" * room, end_stream=sent + room == 32 << 20)
                sent += room
                c.flush()
                continue
            try:
                c.read()
            except TimeoutError:
                break
        assert 65535 <= sent < 8 << 20
        c.socket.settimeout(perigee.PATIENCE)
        go.set()
        while sent < 32 << 20:
            room = min(c.h2.local_flow_control_window(stream), 16384, (32 << 20) - sent)
            if room > 0:
                c.h2.send_data(stream, b"x" * room, end_stream=sent + room == 32 << 20)
                sent += room
                c.flush()
            else:
                c.read()
        assert c.finish(stream).body == b"ok"


def test_download_waits_for_the_client(scripted):
    """A client that opens no window gets no more than a little of the origin's response fetched."""
    sent, over = [], threading.Event()

    def script(conn):
        read_head(conn)
        conn.settimeout(2)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n")
        try:
            for _ in range(1024):
                conn.sendall(b"x" * 65536)
                sent.append(65536)
        except TimeoutError:
            over.set()

    edge = scripted(script)
    with Client(edge, settings={SettingCodes.INITIAL_WINDOW_SIZE: 0}) as c:
        stream = c.ask()
        c.until(lambda: c.streams[stream].status == 200)
        assert over.wait(perigee.PATIENCE)
        assert len(c.streams[stream].body) == 0
        # What the kernels between the origin and the edge have taken is most of it.
        assert sum(sent) < 16 << 20


def test_websocket(scripted):
    """RFC 8441: for the origin it is a request of HTTP/1.1."""
    asked = {}

    def script(conn):
        ws, fields = rfc6455.accept(conn, "Sec-WebSocket-Protocol: chat\r\n")
        asked.update(fields)
        while (received := ws.receive())[0] != rfc6455.CLOSE:
            ws.send(*received)
        ws.send(*received)

    edge = scripted(script)
    with Client(edge) as c:
        stream = c.ask(end=False, whole=[
            (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"),
            (":path", "/chat"), (":authority", HOST), ("sec-websocket-version", "13"),
            ("sec-websocket-protocol", "chat"), ("origin", f"https://{HOST}")])
        s = c.streams[stream]
        c.until(lambda: s.status is not None)
        assert s.status == 200 and s.fields["sec-websocket-protocol"] == "chat"
        for gone in ("upgrade", "connection", "sec-websocket-accept"):
            assert gone not in s.fields
        for opcode, data in ((rfc6455.TEXT, b"hello"), (rfc6455.BINARY, bytes(range(256)) * 100),
                             (rfc6455.CLOSE, b"\x03\xe8bye")):
            echo = rfc6455.frame(opcode, data)
            have = len(s.body)
            sent = rfc6455.frame(opcode, data, mask=True)
            for at in range(0, len(sent), 16384):
                c.h2.send_data(stream, sent[at:at + 16384])
            c.flush()
            c.until(lambda: len(s.body) >= have + len(echo))
            assert s.body[have:] == echo
        c.h2.end_stream(stream)
        c.flush()
        assert c.finish(stream).ended
    assert asked["upgrade"] == "websocket" and len(asked["sec-websocket-key"]) == 24
    assert edge.settled()["edge_end_done_total"] == 1


def ask_websocket(c, protocol="websocket"):
    return c.finish(c.ask(end=False, whole=[
        (":method", "CONNECT"), (":protocol", protocol), (":scheme", "https"), (":path", "/chat"),
        (":authority", HOST), ("sec-websocket-version", "13")]))


def test_websocket_that_the_origin_refuses(scripted):
    def script(conn):
        read_head(conn)
        conn.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")

    with Client(scripted(script)) as c:
        s = ask_websocket(c)
        assert s.status == 403 and s.body == b"no"
        assert ask_websocket(c, "connect-udp").status == 501


def test_websocket_whose_accept_is_wrong(scripted):
    def script(conn):
        read_head(conn)
        conn.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                     b"Upgrade: websocket\r\nSec-WebSocket-Accept: AAAA\r\n\r\n")
        conn.recv(1)

    edge = scripted(script)
    with Client(edge) as c:
        s = ask_websocket(c)
        assert s.status is None and s.reset == ErrorCodes.INTERNAL_ERROR
    assert edge.settled()["edge_end_origin_malformed_total"] == 1


def test_success_without_a_tunnel_is_no_websocket(scripted):
    def script(conn):
        read_head(conn)
        conn.sendall(OK)

    with Client(scripted(script)) as c:
        s = ask_websocket(c)
        assert s.status is None and s.reset == ErrorCodes.INTERNAL_ERROR


def test_malformed_requests_are_reset(edge):
    """Each alone; the connection goes on. They are counted and logged as requests."""
    bad = [
        [(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", "a b")],
        [(":method", "GET"), (":scheme", "https"), (":path", "/ x"), (":authority", HOST)],
        [(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", HOST),
         ("host", "other.example")],
        [(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", HOST),
         ("connection", "close")],
        [(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", HOST),
         ("x", "a\r\nb: c")],
        [(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", HOST),
         ("transfer-encoding", "chunked")],
        [(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", HOST),
         ("X-Upper", "1")],
        [(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", HOST),
         ("te", "gzip")],
        [(":method", "GET"), (":scheme", "https"), (":authority", HOST)],
        [(":method", "POST"), (":scheme", "https"), (":path", "/"), (":authority", HOST),
         ("content-length", "5")],
    ]
    with Client(edge) as c:
        for section in bad:
            s = c.finish(c.ask(whole=section))
            assert s.reset == ErrorCodes.PROTOCOL_ERROR and s.status is None, section
        assert c.get("/bytes/10").status == 200
    counted = edge.settled()
    assert counted["edge_requests_total"] == len(bad) + 1
    assert counted["edge_end_client_malformed_total"] == len(bad)
    lines = edge.access_log(len(bad) + 1)
    assert [line["status"] for line in lines] == [400] * len(bad) + [200]
    assert {line["protocol"] for line in lines} == {"HTTP/2"}


def test_limits_are_answered(make_edge, origin):
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"]'},
                     http="limit: {head_bytes: 4KiB, fields: 20, target_bytes: 100}")
    with Client(edge) as c:
        assert c.get("/" + "a" * 100).status == 414
        assert c.get(fields=[("x", "y")] * 21).status == 431
        assert c.get(fields=[("x", "y" * 1000)] * 5).status == 431
        assert c.get("/bytes/10").status == 200
        # Far over the limit: nobody reads on.
        c.ask(fields=[("x", "y" * 1000)] * 20)
        assert c.until_closed() == ErrorCodes.ENHANCE_YOUR_CALM
    assert edge.counters()["edge_h2_flood_header_list_total"] == 1


def test_streams_over_the_limit_are_refused(make_edge, scripted_origin):
    go = threading.Event()

    def script(conn):
        read_head(conn)
        assert go.wait(perigee.PATIENCE)
        conn.sendall(OK)

    edge = make_edge({"app": scripted_origin(script).origin()}, http="h2: {streams: 3}")
    with Client(edge) as c:
        # Before it can know the limit.
        streams = [c.ask() for _ in range(5)]
        assert [c.finish(s).reset for s in streams[3:]] == [ErrorCodes.REFUSED_STREAM] * 2
        go.set()
        assert [c.finish(s).status for s in streams[:3]] == [200] * 3
        assert c.settings[SettingCodes.MAX_CONCURRENT_STREAMS] == 3
    assert edge.settled()["edge_h2_streams_refused_total"] == 2


FLOODS = {
    "reset": None,
    "made_reset": None,
    "ping": frame(PING, payload=b"12345678"),
    "settings": frame(SETTINGS),
    "priority": frame(PRIORITY, stream=1, payload=b"\0\0\0\0\x10"),
    "empty": None,
    "window_update": frame(WINDOW_UPDATE, payload=struct.pack(">I", 1)),
    "unknown": frame(0xee),
    "continuation": None,
}


def flood(c, kind, n):
    """Bytes that do it, so many times."""
    if FLOODS[kind]:
        return FLOODS[kind] * n
    section = c.h2.encoder.encode(c.fields())
    out = b""
    if kind in ("reset", "made_reset"):
        harm = (frame(RST_STREAM, stream=0, payload=struct.pack(">I", 8)),
                frame(WINDOW_UPDATE, stream=0, payload=struct.pack(">I", 2**31 - 1)))
        harm = harm[kind == "made_reset"]
        for i in range(n):
            stream = struct.pack(">I", 2 * i + 1)
            out += frame(HEADERS, 5, 2 * i + 1, section)
            out += harm[:5] + stream + harm[9:]
        return out
    if kind == "empty":
        return frame(HEADERS, 4, 1, section) + frame(DATA, stream=1) * n
    return frame(HEADERS, 1, 1, section[:1]) + frame(CONTINUATION, 0, 1) * n


@pytest.mark.parametrize("kind", FLOODS)
def test_flood_is_ended_with_a_word(make_edge, scripted_origin, kind):
    """GOAWAY says why, a counter which; and who shares the worker notices nothing."""
    def script(conn):
        while read_head(conn):
            conn.sendall(OK)

    edge = make_edge({"app": scripted_origin(script).origin()},
                     http="h2: {resets: 20, frames: 300}")
    with Client(edge) as bystander, Client(edge) as c:
        assert bystander.get().body == b"ok"
        c.until(lambda: c.settings)
        try:
            c.send(flood(c, kind, 99 if "reset" in kind else 1000))
        except OSError:
            pass
        assert c.until_closed() == ErrorCodes.ENHANCE_YOUR_CALM
        assert bystander.get().body == b"ok"
    counted = edge.settled()
    assert counted[f"edge_h2_flood_{kind}_total"] == 1
    assert sum(v for k, v in counted.items() if k.startswith("edge_h2_flood_")) == 1
    edge.wait_counter("edge_connection_end_client_flood_total", 1)


def test_response_in_crumbs_is_a_flood(make_edge, origin):
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"]'}, http="h2: {frames: 50}")
    with Client(edge, settings={SettingCodes.INITIAL_WINDOW_SIZE: 0}, greedy=False) as c:
        stream = c.ask("/bytes/100000")
        c.until(lambda: c.streams[stream].status == 200)
        for have in range(200):
            try:
                c.send(frame(WINDOW_UPDATE, stream=stream, payload=struct.pack(">I", 1)))
            except OSError:
                break
            c.h2._get_stream_by_id(stream)._inbound_window_manager.window_opened(1)
            while len(c.streams[stream].body) <= have and not c.goaways and c.read():
                pass
            if c.goaways:
                break
        assert c.until_closed() == ErrorCodes.ENHANCE_YOUR_CALM
    got = edge.counters()
    assert got["edge_h2_flood_tiny_window_total"] + got["edge_h2_flood_window_update_total"] == 1


def test_idle_connection_is_told_in_two_steps(make_edge, origin):
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"]'},
                     http="timeout: {keep_alive: 100ms}")
    with Client(edge) as c:
        assert c.get("/bytes/1").status == 200
        assert c.until_closed() == ErrorCodes.NO_ERROR
        assert c.goaways == [(0, 2**31 - 1), (0, 1)]
    edge.wait_counter("edge_connection_end_client_idle_timeout_total", 1)


def test_stop_serves_what_is_under_way(make_edge, scripted_origin):
    go = threading.Event()

    def script(conn):
        read_head(conn)
        assert go.wait(perigee.PATIENCE)
        conn.sendall(OK)

    edge = make_edge({"app": scripted_origin(script).origin()})
    with Client(edge) as c:
        first = c.ask()
        edge.wait_counter("edge_requests_active", 1)
        edge.send_signal(signal.SIGTERM)
        c.until(lambda: c.goaways)
        assert c.goaways[0] == (0, 2**31 - 1)
        c.until(lambda: len(c.goaways) == 2)
        assert c.goaways[1] == (0, first)
        go.set()
        assert c.finish(first).body == b"ok"
        assert c.until_closed() == ErrorCodes.NO_ERROR


def test_stream_above_the_goaway_that_waits_to_be_written_is_refused(make_edge, scripted_origin):
    """By that GOAWAY its client may send it to somebody else: it must not be served here as well."""
    go, asked = threading.Event(), []

    def script(conn):
        asked.append(read_head(conn))
        assert go.wait(perigee.PATIENCE)
        conn.sendall(OK)

    edge = make_edge({"app": scripted_origin(script).origin()})
    with RawH2(edge) as c:
        c.send(c.get(1))
        edge.wait_counter("edge_requests_active", 1)
        edge.send_signal(signal.SIGTERM)
        notice = c.wait(lambda f: f.kind == PING and not f.flags & ACK, "PING")
        # With these the edge leaves; it writes nothing before it has read the rest.
        c.send(ping(notice.payload, ACK) + c.get(3))
        assert c.reset(3) == REFUSED_STREAM
        assert [f.last_stream() for f in c.seen if f.kind == GOAWAY] == [2**31 - 1, 1]
        go.set()
        assert c.response(1)[2] == b"ok"
        c.to_end()
    assert len(asked) == 1


def test_head_that_does_not_end(make_edge, origin):
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"]'}, http="timeout: {head: 200ms}")
    with Client(edge) as c:
        c.until(lambda: c.settings)
        c.send(frame(HEADERS, 1, 1, c.h2.encoder.encode(c.fields())))
        assert c.until_closed() == ErrorCodes.ENHANCE_YOUR_CALM
    edge.wait_counter("edge_connection_end_client_head_timeout_total", 1)


def test_content_that_does_not_come(make_edge, origin):
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"]'}, http="timeout: {body: 200ms}")
    with Client(edge) as c:
        s = c.finish(c.ask("/echo", method="POST", end=False))
        assert s.status == 408
        assert c.get("/bytes/5").body is not None
    assert edge.settled()["edge_end_client_body_timeout_total"] == 1


def test_response_that_is_not_taken(make_edge, origin):
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"]'},
                     http="timeout: {write: 300ms}")
    with Client(edge, settings={SettingCodes.INITIAL_WINDOW_SIZE: 1000}, greedy=False) as c:
        s = c.finish(c.ask("/bytes/100000"))
        assert len(s.body) == 1000 and s.reset == ErrorCodes.CANCEL
    assert edge.settled()["edge_end_client_write_timeout_total"] == 1


# So much of a response the edge keeps for a client that does not take it yet.
KEPT = 60000


def use_up_window(c):
    """The connection's, so that nothing more is sent."""
    c.until(lambda: c.settings)
    c.finish(c.ask("/bytes/65535"))
    c.order.clear()


def await_responses(edge, n):
    """Until the edge has whole responses to so many requests, after one."""
    perigee.wait_for(lambda: sum(edge.counters()[f"olink_leases_{kind}_total"]
                                 for kind in ("fresh", "reused")) == n + 1, "all to be asked for")
    edge.wait_counter("olink_active_connections", 0)
    edge.wait_counter("edge_requests_active", n)


def test_urgent_stream_overtakes(edge):
    """RFC 9218: by the field, and by PRIORITY_UPDATE. The client takes nothing until all responses
    wait for it, and then sees who comes first: how fast the origin is does not matter."""
    big = {SettingCodes.INITIAL_WINDOW_SIZE: 1 << 20}
    with Client(edge, settings=big, greedy=False) as c:
        use_up_window(c)
        bulk = [c.ask(f"/bytes/{KEPT}", fields=[("priority", "u=5")]) for _ in range(4)]
        urgent = c.ask(f"/bytes/{KEPT}", fields=[("priority", "u=0")])
        raised = c.ask(f"/bytes/{KEPT}", fields=[("priority", "u=6")])
        c.send(frame(PRIORITY_UPDATE, payload=struct.pack(">I", raised) + b"u=1"))
        await_responses(edge, 6)
        c.h2.increment_flow_control_window(10 << 20)
        c.flush()
        c.until(lambda: all(c.streams[s].ended for s in (*bulk, urgent, raised)))
        sent = [s for s, n in c.order for _ in range(n)]
        assert sent[:2 * KEPT] == [urgent] * KEPT + [raised] * KEPT


def test_priority_that_comes_before_its_stream(edge):
    """It counts, against the field too, which nghttp2 heeded instead; and nothing is left of it that
    the end of the connection would stumble over: nghttp2 aborted at its GOAWAY."""
    big = {SettingCodes.INITIAL_WINDOW_SIZE: 1 << 20}
    with Client(edge, settings=big, greedy=False) as c:
        use_up_window(c)
        for stream in (3, 5, 7):
            c.send(frame(PRIORITY_UPDATE, payload=struct.pack(">I", stream) + b"u=5"))
        c.send(frame(PRIORITY_UPDATE, payload=struct.pack(">I", 9) + b"u=0"))
        streams = [c.ask(f"/bytes/{KEPT}", fields=[("priority", "u=4")]) for _ in range(4)]
        assert streams == [3, 5, 7, 9]
        await_responses(edge, 4)
        # Of what is here the others get nothing, though they are the older ones.
        c.h2.increment_flow_control_window(KEPT)
        c.flush()
        c.until(lambda: c.streams[9].ended)
        assert {s for s, _ in c.order} == {9}
        c.send(frame(PRIORITY_UPDATE, payload=struct.pack(">I", 11) + b"u=2"))
        c.send(frame(PRIORITY_UPDATE, payload=struct.pack(">I", 13) + b"u=2"))
        # Over the idle streams, and the open ones.
        c.send(frame(PRIORITY_UPDATE, payload=b"\0\0\0"))
        assert c.until_closed() == ErrorCodes.FRAME_SIZE_ERROR
    edge.wait_counter("edge_requests_active", 0)
    assert edge.curl("-o", "/dev/null", "-w", "%{http_code}", edge.url("/bytes/1")).stdout == "200"


def test_priority_update_of_any_length(edge):
    """It may come in pieces, and say more than is kept of it: then it says nothing."""
    with Client(edge, settings={SettingCodes.INITIAL_WINDOW_SIZE: 1 << 20}, greedy=False) as c:
        use_up_window(c)
        update = frame(PRIORITY_UPDATE, payload=struct.pack(">I", 5) + b"u=1")
        for at in range(len(update)):
            c.send(update[at:at + 1])
        full = struct.pack(">I", 3) + b"u=0," + b"x," * 8188
        assert len(full) == 16384
        c.send(frame(PRIORITY_UPDATE, payload=full))
        assert [c.ask(f"/bytes/{KEPT}") for _ in range(2)] == [3, 5]
        await_responses(edge, 2)
        c.h2.increment_flow_control_window(10 << 20)
        c.flush()
        c.until(lambda: c.streams[3].ended and c.streams[5].ended)
        assert [s for s, n in c.order for _ in range(n)] == [5] * KEPT + [3] * KEPT
        c.send(frame(PRIORITY_UPDATE, payload=full + b"x"))
        assert c.until_closed() == ErrorCodes.FRAME_SIZE_ERROR
    for stream, payload in ((1, struct.pack(">I", 1)), (0, bytes(4)), (0, struct.pack(">I", 2))):
        with Client(edge) as c:
            c.send(frame(PRIORITY_UPDATE, stream=stream, payload=payload))
            assert c.until_closed() == ErrorCodes.PROTOCOL_ERROR


def test_urgent_request_is_asked_first(edge):
    """Of those that come at once, whatever their order. The others do wait, but not for long."""
    with Client(edge) as c:
        c.until(lambda: c.settings)
        bulk = [c.ask("/bytes/100", fields=[("priority", "u=5")], now=False) for _ in range(4)]
        urgent = c.finish(c.ask("/bytes/100", fields=[("priority", "u=0")]))
        assert urgent.fields["origin-connection"] == "1; request=1"
        assert all(len(c.finish(s).body) == 100 for s in bulk)
        slow = c.ask("/delay/30000", fields=[("priority", "u=0")])
        assert len(c.get("/bytes/100", fields=[("priority", "u=5")]).body) == 100
        assert not c.streams[slow].ended


def test_requests_that_wait_for_others_may_end_before_they_are_asked(edge):
    def ask(c):
        slow = c.ask("/delay/30000", fields=[("priority", "u=0")], now=False)
        return slow, c.ask("/bytes/10", fields=[("priority", "u=5")], now=False)

    with Client(edge) as c:
        c.until(lambda: c.settings)
        for s in ask(c):
            c.h2.reset_stream(s, ErrorCodes.CANCEL)
        assert len(c.get("/bytes/20").body) == 20
        ask(c)
        c.flush()
        edge.wait_counter("edge_requests_total", 4)
    assert edge.settled()["edge_requests_total"] == 5 == len(edge.access_log(5))


def turns_of_three(edge, priority):
    """How often another stream goes on, of three with that priority that are in the way at once."""
    big = {SettingCodes.INITIAL_WINDOW_SIZE: 1 << 20}
    with Client(edge, settings=big, greedy=False) as c:
        c.until(lambda: c.settings)
        streams = [c.ask("/bytes/300000", fields=[("priority", priority)]) for _ in range(3)]
        edge.wait_counter("edge_requests_active", 3)
        c.until(lambda: sum(n for _, n in c.order) == 65535)
        c.order.clear()
        c.h2.increment_flow_control_window(10 << 20)
        c.flush()
        for s in streams:
            c.finish(s)
        return sum(a[0] != b[0] for a, b in zip(c.order, c.order[1:]))


def test_incremental_streams_share(edge):
    """16 KiB at a time, or as much as is here when it comes: the next one goes on meanwhile. So an
    origin that stalls can keep them from sharing, but not make the others share."""
    assert any(turns_of_three(edge, "u=3, i") > 15 for _ in range(20))
    assert min(turns_of_three(edge, "u=3") for _ in range(3)) <= 15
