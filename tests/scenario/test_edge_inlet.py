# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: what comes before the first request, and who is let in: bytes that are no TLS, time
limits, PROXY headers, and the limits of connections and handshakes."""

import json
import re
import select
import socket
import ssl
import threading

import pytest

import perigee
from edge_fleet import HOST, Edge, Responses

HELLO = b"\x16\x03\x01\x01\x00\x01\x00\x00\xfc"  # and 252 bytes more


@pytest.fixture
def make_edge(processes, tmp_path, authority, certificate, origin):
    def make(http="", **more):
        sites = {"www": ([HOST], [certificate], {"/": "app"})}
        origins = {"app": f'servers: ["127.0.0.1:{origin.port}"]'}
        edge = Edge(tmp_path, authority, sites, origins, http, **more)
        processes.append(edge)
        return edge

    return make


def plain(edge):
    return socket.create_connection(("127.0.0.1", edge.port), timeout=60)


def ended(s):
    """What came before the other side's end, of whatever kind."""
    data = b""
    try:
        while chunk := s.recv(65536):
            data += chunk
    except ConnectionResetError:
        pass
    return data


def test_http_without_tls(make_edge):
    edge = make_edge()
    with plain(edge) as s:
        s.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        assert re.match(rb"HTTP/1.1 400 .*speaks TLS", ended(s), re.DOTALL)
    edge.wait_counter("edge_connections_active", 0)
    c = edge.counters()
    assert c["edge_handshake_failures_total"] == 1 and c["edge_requests_total"] == 0


def test_slow_handshake_is_cut_off(make_edge):
    edge = make_edge("timeout: {handshake: 100ms}")
    with plain(edge) as half, plain(edge) as silent:
        half.sendall(HELLO)
        # user_canceled and close_notify; who has not begun a handshake is told nothing.
        assert ended(half) == b"\x15\3\1\0\2\1\x5a" b"\x15\3\1\0\2\1\0"
        assert ended(silent) == b""
    edge.wait_counter("edge_connection_end_client_handshake_timeout_total", 2)
    assert edge.counters()["edge_handshake_failures_total"] == 1


def test_hello_in_pieces(make_edge):
    edge = make_edge()
    context = ssl.create_default_context(cafile=str(edge.authority.certificate))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=HOST)
    with plain(edge) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        for byte in outgoing.read():
            s.sendall(bytes([byte]))
        while True:
            incoming.write(s.recv(65536))
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                pass
        s.sendall(outgoing.read())
        tls.write(f"GET /bytes/5 HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        s.sendall(outgoing.read())
        incoming.write(ended(s))
        assert tls.read(1000).startswith(b"HTTP/1.1 200 OK\r\n")


def wrapped(edge, s):
    context = ssl.create_default_context(cafile=str(edge.authority.certificate))
    return context.wrap_socket(s, server_hostname=HOST)


def test_proxy_protocol(make_edge):
    edge = make_edge("proxy_protocol: [127.0.0.0/8]")
    headers = [
        b"PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24" + socket.inet_pton(socket.AF_INET6, "2001:db8::7")
        + socket.inet_pton(socket.AF_INET6, "2001:db8::1") + b"\x12\x67\x01\xbb",
    ]
    for header, client in zip(headers, ["203.0.113.7", "2001:db8::7"]):
        s = plain(edge)
        s.sendall(header)
        with wrapped(edge, s) as tls:
            tls.sendall(f"GET /fields HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            status, _, body = Responses(tls).response()
            assert status == 200 and f"X-Forwarded-For: {client}".encode() in body
    with plain(edge) as s:
        s.sendall(HELLO)
        assert ended(s) == b""
    edge.wait_counter("edge_proxy_header_failures_total", 1)
    assert edge.counters()["edge_proxy_headers_total"] == 2
    edge.wait_log("no PROXY header from 127.0.0.1")
    edge.stop()
    clients = [json.loads(line)["client"] for line in edge.access_log_path.read_text().splitlines()]
    assert clients == ["203.0.113.7", "2001:db8::7"]


def busy(edge):
    """A connection whose request has begun and will not end."""
    s = edge.connect()
    s.sendall(f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 5\r\n\r\n".encode())
    return s


def test_idle_connections_give_way(make_edge):
    edge = make_edge("limit: {connections: 3}")
    held = [edge.connect() for _ in range(3)]
    edge.wait_counter("edge_handshakes_total", 3)
    held += [busy(edge) for _ in range(3)]
    for s in held[:3]:
        assert s.recv(1) == b""  # in order
    edge.wait_counter("edge_requests_active", 3)
    edge.wait_counter("edge_connections_displaced_total", 3)
    edge.wait_counter("edge_connection_end_client_displaced_total", 3)
    # The others are busy: now newcomers are closed.
    with plain(edge) as s:
        assert ended(s) == b""
    edge.wait_counter("edge_connections_refused_total", 1)
    held.pop().close()
    edge.wait_counter("edge_connections_active", 2)
    assert edge.curl(edge.url("/")).returncode == 0
    for s in held:
        s.close()


def test_limit_of_connections_is_of_all_workers(make_edge):
    """Each worker had a quarter of it, and closed newcomers while the others had room."""
    edge = make_edge("limit: {connections: 60}, timeout: {body: 1h}", workers=4)
    held = [busy(edge) for _ in range(60)]
    edge.wait_counter("edge_requests_active", 60)
    assert edge.counters()["edge_connections_active"] == 60
    for _ in range(10):
        with plain(edge) as s:
            assert ended(s) == b""
    c = edge.counters()
    assert c["edge_connections_refused_total"] == 10 and c["edge_connections_displaced_total"] == 0
    for s in held:
        s.close()
    edge.wait_counter("edge_connections_active", 0)


def test_silent_connections_give_way(make_edge):
    edge = make_edge("limit: {silent: 2}")
    silent = [plain(edge) for _ in range(5)]
    edge.wait_counter("edge_connections_displaced_total", 3)
    assert edge.counters()["edge_silent_active"] == 2
    for s in silent[:3]:
        assert ended(s) == b""
    readable, _, _ = select.select(silent[3:], [], [], 0)
    assert readable == []
    # They hold nobody up.
    assert edge.curl(edge.url("/")).returncode == 0
    for s in silent:
        s.close()


def test_handshakes_wait_their_turn(make_edge):
    """Connections that had said nothing yet used to have places among the handshakes."""
    edge = make_edge("limit: {handshakes: 1}", workers=2)
    silent = plain(edge)
    with HalfHandshake(edge):
        edge.wait_counter("edge_handshakes_active", 1)
        got = []
        client = threading.Thread(target=lambda: got.append(edge.curl(edge.url("/")).returncode))
        client.start()
        edge.wait_counter("edge_handshakes_waiting", 1)
    client.join()
    assert got == [0]
    silent.close()
    edge.wait_counter("edge_connections_active", 0)
    c = edge.counters()
    assert c["edge_handshakes_waiting"] == c["edge_handshakes_active"] == c["edge_silent_active"] == 0


class HalfHandshake:
    """A client that sends its hello and then nothing."""

    def __init__(self, edge):
        context = ssl.create_default_context(cafile=str(edge.authority.certificate))
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname=HOST)
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        self.socket = plain(edge)
        self.socket.sendall(outgoing.read())

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.socket.close()


def test_listeners_say_whether_they_speak_tls(make_edge):
    edge = make_edge(plain=True)
    listeners = edge.status()["listeners"]
    assert [listener["tls"] for listener in listeners] == [True, False]
    edge.wait_log(rf"serving on {listeners[0]['address']}$")
    edge.wait_log(rf"serving on {listeners[1]['address']} \(plain HTTP\)$")
    assert edge.status()["buffered"] == 0
    _, port = edge.addresses()[1]
    with socket.create_connection(("127.0.0.1", port), timeout=60) as s:
        s.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        assert ended(s).startswith(b"HTTP/1.1 ")
    assert edge.counters()["edge_handshakes_total"] == 0


def test_clients_that_do_not_read_are_cut_off_over_the_budget(make_edge):
    edge = make_edge("limit: {buffered: 1MiB}, timeout: {write: 1h}")
    clients = []

    def held():
        status = edge.status()
        return status["buffered"], status["counters"]["edge_stalled_cut_total"]

    while (before := held())[1] == 0:
        assert len(clients) < 50
        clients.append(edge.connect())
        clients[-1].sendall(f"GET /bytes/2000000 HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        # One after the other, so that each has all of a turn to itself.
        perigee.wait_for(lambda: held() != before, "more to be held")
    # Those that are left are within it, and served as soon as they read.
    perigee.wait_for(lambda: held()[0] <= 1 << 20, "the rest to be within the budget")
    whole = 0
    for s in clients:
        try:
            whole += len(Responses(s).response()[2]) == 2000000
        except (AssertionError, ssl.SSLError, ConnectionError):
            pass
        s.close()
    edge.wait_counter("edge_connections_active", 0)
    c = edge.counters()
    assert 0 < whole == len(clients) - c["edge_stalled_cut_total"]
    assert c["edge_connection_end_client_stalled_total"] == c["edge_stalled_cut_total"]
    assert edge.status()["buffered"] == 0
