# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: early data (0-RTT): what goes on before the handshake is done and what waits for it,
what the origin is told, and that nothing that was recorded is taken twice."""

import json
import re
import signal
import socket
import subprocess
import threading

import pytest

import perigee
import tls13
import tls_frames
from edge_fleet import HOST, Edge, is_broken_off, read_head

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
TOO_EARLY = b"HTTP/1.1 425 Too Early\r\nContent-Length: 5\r\n\r\nlater"
ROUTES = ["path: /, origin: app, early_data: true", "path: /late, origin: app"]


def get(path="/", method="GET", more=""):
    return (f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\n{more}\r\n").encode()


class Heads:
    """An origin's script that keeps the heads of requests, and answers all alike."""

    def __init__(self, answer=OK):
        self.answer = answer
        self.heads = []
        self.came = threading.Condition()

    def __call__(self, conn):
        while head := read_head(conn):
            with self.came:
                self.heads.append(head.decode())
                self.came.notify_all()
            conn.sendall(self.answer)

    def wait(self, n):
        with self.came:
            assert self.came.wait_for(lambda: len(self.heads) >= n, perigee.PATIENCE)
        return self.heads

    def is_early(self, n):
        return "\r\nEarly-Data: 1\r\n" in self.wait(n + 1)[n]


@pytest.fixture
def heads():
    return Heads()


@pytest.fixture
def edge(make_edge, scripted_origin, heads):
    return make_edge({"app": scripted_origin(heads).origin()}, ROUTES)


def client(edge, **more):
    return tls13.Client(edge.connect_tcp(), HOST, **more)


def ticket_of(edge, alpn=()):
    first = client(edge, alpn=alpn).connect()
    if alpn != ("h2",):
        first.send(get("/late"))
    return first.read_ticket()


def answer(c, content=b"ok"):
    """Status of a response with that content."""
    return int(c.read_until(b"\r\n\r\n" + content).split()[1])


def early(edge, request, ticket=None, alpn=()):
    """A client that has sent ClientHello and this as early data, and has the server's flight."""
    c = client(edge, ticket=ticket or ticket_of(edge, alpn), early=request, alpn=alpn)
    c.start()
    c.read_answer()
    return c


# What goes on at once


def test_goes_on_before_the_handshake_is_done(edge, heads):
    ticket = ticket_of(edge)
    assert ticket.early == 16384
    c = early(edge, get("/now"), ticket)
    assert c.resumed and c.early_accepted
    assert heads.wait(2)[1].startswith("GET /now ") and heads.is_early(1)
    assert edge.counters()["edge_handshakes_total"] == 1
    c.finish()
    assert answer(c) == 200
    # The same connection afterwards: nothing is early any more.
    c.send(get("/then"))
    assert answer(c) == 200 and not heads.is_early(2)
    counters = edge.settled()
    assert counters["edge_early_data_total"] == 1 and counters["edge_requests_early_total"] == 1
    assert counters["edge_early_data_refused_total"] == 0
    assert counters["edge_handshakes_total"] == 2
    assert counters["edge_handshakes_resumed_total"] == 1
    logged = edge.access_log(3)
    assert [line.get("tls_early", False) for line in logged] == [False, True, False]


def test_several_requests_and_pieces(edge, heads):
    one, two = get("/one"), get("/two")
    c = early(edge, one[:10])
    c.more_early(one[10:] + two[:5])
    assert heads.wait(2)[1].startswith("GET /one ") and heads.is_early(1)
    c.more_early(two[5:])
    c.finish()
    assert answer(c) == 200 and answer(c) == 200
    assert heads.wait(3)[2].startswith("GET /two ")


def test_rest_of_a_request_after_the_handshake(edge, heads):
    request = get("/halves")
    c = early(edge, request[:20])
    c.finish()
    c.send(request[20:])
    assert answer(c) == 200 and not heads.is_early(1)


def test_large_response_waits_for_the_handshake(make_edge, origin):
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"]'},
                     ["path: /, origin: app, early_data: true"])
    first = client(edge).connect()
    first.send(get("/bytes/1"))
    c = early(edge, get("/bytes/3000000"), first.read_ticket())
    edge.wait_counter("edge_requests_early_total", 1)
    c.finish()
    assert b" 200 " in c.read_until(b"\r\n\r\n")
    while len(c.data) < 3000000:
        c.read_some()


def test_what_is_no_request_is_answered_after_the_handshake(edge):
    c = early(edge, b"nonsense\r\n\r\n")
    edge.wait_counter("edge_requests_total", 2)
    c.finish()
    assert b"HTTP/1.1 400 Bad Request" in c.read_until(b"\r\n\r\n")


def test_stop_waits_for_the_response(edge, heads):
    c = early(edge, get("/now"))
    heads.wait(2)
    edge.send_signal(signal.SIGTERM)
    perigee.wait_for(lambda: "was told to stop" in edge.log() or "stopping" in edge.log(),
                     "the edge to begin to stop")
    c.finish()
    assert answer(c) == 200
    edge.wait()


# What waits


@pytest.mark.parametrize("request_bytes", [
    get("/late"),
    get("/", "POST", "Content-Length: 0\r\n"),
    get("/", "DELETE"),
    get("/", more="Connection: Upgrade\r\nUpgrade: websocket\r\n"),
])
def test_waits_for_the_handshake(edge, heads, request_bytes):
    c = early(edge, request_bytes)
    assert c.early_accepted
    edge.wait_counter("edge_requests_total", 2)
    c.finish()
    assert answer(c) == 200 and not heads.is_early(1)
    counters = edge.settled()
    assert counters["edge_early_data_total"] == 1 and counters["edge_requests_early_total"] == 0
    assert counters["edge_too_early_total"] == 0


def test_nothing_of_what_waits_goes_on_when_the_handshake_fails(edge, heads):
    c = early(edge, get("/late"))
    edge.wait_counter("edge_requests_active", 1)
    c.socket.close()
    edge.wait_counter("edge_connections_active", 0)
    counters = edge.settled()
    assert counters["edge_handshake_failures_total"] == 1 and len(heads.heads) == 1


def test_handshake_has_to_be_done_in_time(make_edge, scripted_origin, heads):
    edge = make_edge({"app": scripted_origin(heads).origin()}, ROUTES,
                     http="timeout: {handshake: 1s}")
    c = early(edge, get("/late"))
    assert is_broken_off(c.socket)
    edge.wait_counter("edge_connection_end_client_handshake_timeout_total", 1)
    counters = edge.settled()
    assert counters["edge_handshake_failures_total"] == 1 and len(heads.heads) == 1


# 425, and the field


def test_field_of_the_client(edge, heads):
    """RFC 8470, 5.1: for what came early to somebody before us, there is nothing to wait for."""
    c = client(edge).connect()
    c.send(get("/late", more="Early-Data: 1\r\n"))
    assert b"HTTP/1.1 425 Too Early" in c.read_until(b"\r\n\r\n")
    c = client(edge).connect()
    c.send(get("/", "POST", "Early-Data: 1\r\nContent-Length: 0\r\n"))
    assert b"HTTP/1.1 425 Too Early" in c.read_until(b"\r\n\r\n")
    assert heads.heads == []
    c = client(edge).connect()
    c.send(get("/", more="Early-Data: yes\r\nEarly-Data: 1\r\n"))
    assert answer(c) == 200
    assert re.findall(r"\r\n(Early-Data.*?)\r\n", heads.wait(1)[0]) == ["Early-Data: 1"]
    c = client(edge).connect()
    c.send(get("/", more="Early-Data: 1\r\nConnection: Early-Data\r\n"))
    assert answer(c) == 200 and heads.is_early(1)
    counters = edge.settled()
    assert counters["edge_too_early_total"] == 2 and counters["edge_requests_early_total"] == 0


def test_origins_425_is_passed_on(make_edge, scripted_origin):
    heads = Heads(TOO_EARLY)
    edge = make_edge({"app": scripted_origin(heads).origin()}, ROUTES)
    first = client(edge).connect()
    first.send(get())
    c = early(edge, get(), first.read_ticket())
    c.finish()
    assert answer(c, b"later") == 425 and heads.is_early(1)
    heads.answer = OK
    c.send(get())
    assert answer(c) == 200 and not heads.is_early(2)


def test_variable(make_edge, scripted_origin, heads):
    edge = make_edge({"app": scripted_origin(heads).origin()},
                     ["path: /, origin: app, early_data: true, request_fields: "
                      "[{name: X-Early, value: '{tls.early}'}]"])
    c = early(edge, get())
    c.finish()
    assert "\r\nX-Early: no\r\n" in heads.wait(2)[0]
    assert "\r\nX-Early: yes\r\n" in heads.wait(2)[1]


# HTTP/2


def test_http2(edge, heads):
    hpack = pytest.importorskip("hpack")

    def frame(kind, flags, stream, payload=b""):
        return (len(payload).to_bytes(3, "big") + bytes([kind, flags])
                + stream.to_bytes(4, "big") + payload)

    def headers(stream, path):
        block = hpack.Encoder().encode([(":method", "GET"), (":scheme", "https"),
                                        (":authority", HOST), (":path", path)])
        return frame(1, 5, stream, block)

    start = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0)
    ticket = ticket_of(edge, ("h2",))
    c = early(edge, start + headers(1, "/now") + headers(3, "/late"), ticket, ("h2",))
    assert c.early_accepted and c.selected_alpn == "h2"
    assert heads.wait(1)[0].startswith("GET /now ") and heads.is_early(0)
    edge.wait_counter("edge_requests_total", 2)
    assert len(heads.heads) == 1
    c.finish()
    c.read_until(frame(0, 1, 1, b"ok"))
    assert heads.wait(2)[1].startswith("GET /late ") and not heads.is_early(1)
    c.read_until(frame(0, 1, 3, b"ok"))


def test_last_word_over_http2_waits_for_the_handshake(edge):
    """A connection that ends at once is not just closed: the client is told why."""
    ticket = ticket_of(edge, ("h2",))
    start = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    c = early(edge, start + b"\0\0\0\0\0\0\0\0\0", ticket, ("h2",))  # DATA, where SETTINGS belong
    edge.wait_counter("edge_connections_active", 0)
    c.finish()
    with pytest.raises(tls_frames.Refused) as alert:
        while True:
            c.read_some()
    assert alert.value.alert == tls_frames.CLOSE_NOTIFY
    assert b"\0\0\0\0\0\0\0\1" in c.data and b"\7\0\0\0\0\0" in c.data  # GOAWAY, PROTOCOL_ERROR


def test_last_word_is_not_waited_for_without_end(edge):
    ticket = ticket_of(edge, ("h2",))
    start = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    c = early(edge, start + b"\0\0\0\0\0\0\0\0\0", ticket, ("h2",))
    edge.wait_counter("edge_connections_active", 0)
    assert is_broken_off(c.socket)


def test_other_protocol_than_the_tickets(edge):
    """RFC 8446, 4.2.10: early data is of the protocol that was spoken before."""
    c = early(edge, get(), ticket_of(edge, ("http/1.1",)), ("h2",))
    assert c.resumed and not c.early_accepted
    assert c.selected_alpn == "h2"


# Refused


def is_refused(edge, heads, ticket, n, request=b""):
    """It goes on in one round trip, and the origin sees nothing of it."""
    c = early(edge, request or get("/now"), ticket)
    assert not c.early_accepted
    c.finish()
    c.send(get("/again"))
    assert answer(c) == 200 and heads.wait(n + 1)[n].startswith("GET /again ")
    return c


def test_ticket_is_good_for_early_data_once(edge, heads):
    ticket = ticket_of(edge)
    c = early(edge, get("/now"), ticket)
    c.finish()
    assert answer(c) == 200
    assert is_refused(edge, heads, ticket, 2).resumed
    # The one that came meanwhile is.
    c = early(edge, get("/now"), c.read_ticket())
    assert c.early_accepted
    counters = edge.counters()
    assert counters["edge_early_data_total"] == 2
    assert counters["edge_early_data_refused_total"] == 1


def test_not_where_no_route_takes_any(make_edge, scripted_origin, heads):
    edge = make_edge({"app": scripted_origin(heads).origin()}, ["path: /, origin: app"])
    ticket = ticket_of(edge)
    assert ticket.early == 0
    assert is_refused(edge, heads, ticket, 1).resumed


@pytest.mark.parametrize("n", [1, 16384, 65536])
def test_all_that_is_refused_is_skipped(make_edge, scripted_origin, heads, n):
    """GnuTLS counts it with what encryption adds, by the size that is taken."""
    edge = make_edge({"app": scripted_origin(heads).origin()}, ROUTES,
                     top=["tls: {early_data: 1KiB}"])
    ticket = ticket_of(edge)
    c = early(edge, get("/now"), ticket)
    c.finish()
    assert answer(c) == 200
    assert is_refused(edge, heads, ticket, 2, b"x" * n).resumed


@pytest.mark.parametrize("too_much", [0, 1])
def test_limit(make_edge, scripted_origin, heads, too_much):
    edge = make_edge({"app": scripted_origin(heads).origin()}, ROUTES,
                     top=["tls: {early_data: 2KiB}"])
    ticket = ticket_of(edge)
    assert ticket.early == 2048
    request = get("/now", more=f"X: {'x' * 1900}\r\n")
    request = get("/now", more=f"X: {'x' * (1900 + 2048 - len(request) + too_much)}\r\n")
    c = client(edge, ticket=ticket, early=request).start()
    if too_much:
        with pytest.raises(tls_frames.Refused) as alert:
            c.read_answer()
            c.finish()
            c.read_some()
        assert alert.value.alert == tls_frames.UNEXPECTED_MESSAGE
        edge.wait_counter("edge_connections_active", 0)
        assert len(heads.heads) == 1
    else:
        c.read_answer()
        c.finish()
        assert answer(c) == 200


def test_second_client_hello(edge, heads):
    """Early data does not survive a request for another ClientHello (RFC 8446, 4.2.10); GnuTLS takes
    it, and then cannot read that."""
    ticket = ticket_of(edge)
    c = client(edge, ticket=ticket, early=get("/now"), share=False).connect()
    assert c.retried and c.resumed and not c.early_accepted
    c.send(get("/again"))
    assert answer(c) == 200 and heads.wait(2)[1].startswith("GET /again ")


def test_garbage(edge, heads):
    """Not encrypted with the ticket's key."""
    ticket = ticket_of(edge)
    c = client(edge, ticket=ticket, early=get("/now"))
    flight = c.first_flight()
    c.socket.sendall(flight[:-1] + bytes([flight[-1] ^ 1]))
    with pytest.raises(tls_frames.Refused) as alert:
        c.read_answer()
        c.read_record()
    assert alert.value.alert == tls_frames.BAD_RECORD_MAC
    edge.wait_counter("edge_handshake_failures_total", 1)
    assert len(heads.heads) == 1


# Replays: what was recorded on its way between a client and the edge


class Recorder:
    """Passes one connection on to a port, and keeps what the client says before the server does."""

    def __init__(self, port):
        self.port = port
        self.first = b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        below, _ = self.listener.accept()
        above = socket.create_connection(("127.0.0.1", self.port))
        answered = threading.Event()

        def up():
            while data := below.recv(65536):
                if not answered.is_set():
                    self.first += data
                above.sendall(data)
            above.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=up, daemon=True)
        thread.start()
        while data := above.recv(65536):
            answered.set()
            below.sendall(data)
        below.shutdown(socket.SHUT_WR)
        thread.join()
        below.close()
        above.close()
        self.listener.close()


def s_client(edge, port, *args, data=""):
    return subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", HOST, "-tls1_3",
         "-CAfile", edge.authority.certificate, "-verify_return_error", "-ign_eof",
         *map(str, args)],
        input=data, capture_output=True, text=True, errors="replace", timeout=60, check=False).stdout


def record(edge, tmp_path):
    """The first flight of openssl's client with early data, which was taken."""
    session, request = tmp_path / "session", tmp_path / "request"
    close = get("/late", more="Connection: close\r\n").decode()
    assert "New, TLS" in s_client(edge, edge.port, "-sess_out", session, data=close)
    request.write_bytes(get("/now", more="Connection: close\r\n"))
    recorder = Recorder(edge.port)
    said = s_client(edge, recorder.listener.getsockname()[1], "-sess_in", session, "-early_data",
                    request)
    recorder.thread.join(perigee.PATIENCE)
    assert "Early data was accepted" in said and "HTTP/1.1 200 OK" in said, said
    assert len(recorder.first) > 300
    return recorder.first


def replay(edge, flight):
    """Sent again, byte for byte. It gets the edge's flight, in which nobody knows more than that
    early data was not taken."""
    with edge.connect_tcp() as s:
        s.sendall(flight)
        data = b""
        while len(data) < 200:
            data += s.recv(65536)
        assert data[0] == 22  # a handshake, no alert
        s.shutdown(socket.SHUT_WR)
        while s.recv(65536):
            pass


def expect_refused(edge, heads, flight, n):
    before = edge.counters()
    replay(edge, flight)
    edge.wait_counter("edge_connections_active", 0)
    after = edge.settled()
    assert after["edge_early_data_total"] == before["edge_early_data_total"]
    assert after["edge_requests_total"] == before["edge_requests_total"]
    assert len(heads.heads) == n


@pytest.fixture
def keys(tmp_path):
    directory = tmp_path / "keys"
    directory.mkdir()
    subprocess.run([perigee.CTL, "ticket-key", "new", directory], check=True, capture_output=True)
    return directory


def test_replays(processes, tmp_path, authority, certificate, scripted_origin, heads, keys):
    """To the same node, after a reload, to another with the same keys, after a restart."""
    def make(node, workers=4):
        directory = tmp_path / node
        directory.mkdir(exist_ok=True)
        edge = Edge(directory, authority, {"www": ([HOST], [certificate], ROUTES)},
                    {"app": scripted_origin(heads).origin()}, node=node, workers=workers,
                    top=[f"tls: {{tickets: {{keys: {keys}}}}}"])
        processes.append(edge)
        return edge

    edge, other = make("fra1"), make("nyc1")
    flight = record(edge, tmp_path)
    assert heads.wait(2)[1].startswith("GET /now ") and heads.is_early(1)
    for _ in range(5):
        expect_refused(edge, heads, flight, 2)
    edge.reload()
    edge.wait_counter("edge_reloads_total", 1)
    expect_refused(edge, heads, flight, 2)
    expect_refused(other, heads, flight, 2)
    edge.stop()
    expect_refused(make("fra1"), heads, flight, 2)


def test_client_named_a_used_ticket_and_it_was_good_again(edge, heads, tmp_path):
    """As a server does, by a NewSessionTicket: it is refused, but was put into the register before, and
    a first flight that somebody had recorded was taken again."""
    flight = record(edge, tmp_path)
    at = flight.index(b"\x00\x29", 200) + 4 + 2
    size = int.from_bytes(flight[at:at + 2], "big")
    forged = bytes(9) + flight[at:at + 2 + size] + bytes(2)
    stranger = client(edge).connect()
    stranger.send_record(tls_frames.HANDSHAKE, tls_frames.message(4, forged))
    with pytest.raises(tls_frames.Refused) as alert:
        stranger.read_ticket()
        stranger.read_ticket()
    assert alert.value.alert == tls_frames.UNEXPECTED_MESSAGE
    expect_refused(edge, heads, flight, 2)


def test_ticket_of_another_edge(processes, tmp_path, authority, certificate, scripted_origin, heads,
                                keys):
    """The session is resumed there, its early data is not taken."""
    edges = []
    for node in "fra1", "nyc1":
        directory = tmp_path / node
        directory.mkdir()
        edges.append(Edge(directory, authority, {"www": ([HOST], [certificate], ROUTES)},
                          {"app": scripted_origin(heads).origin()}, node=node,
                          top=[f"tls: {{tickets: {{keys: {keys}}}}}"]))
        processes.append(edges[-1])
    assert is_refused(edges[1], heads, ticket_of(edges[0]), 1).resumed


def test_many_at_once_take_a_ticket_once(make_edge, scripted_origin, heads):
    """All workers share the register."""
    edge = make_edge({"app": scripted_origin(heads).origin()}, ROUTES, workers=4)
    ticket = ticket_of(edge)
    clients = [client(edge, ticket=ticket, early=get("/now")) for _ in range(16)]
    for c in clients:
        c.start()
    for c in clients:
        c.read_answer()
        c.finish()
    assert sum(c.early_accepted for c in clients) == 1
    assert all(c.resumed for c in clients)


def test_status_and_check(edge):
    got = subprocess.run([perigee.CTL, "dump", edge.fleet], capture_output=True, text=True,
                         check=True)
    assert "early_data: true" in got.stdout and "early_data: 16KiB" in got.stdout
    assert json.dumps(edge.status()).count('"edge_early_data_total": 0') == 1
