# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: no time limit of a client is put off by sending a byte now and then, whatever is
awaited of it: PROXY header, ClientHello, the first head, a later one; and content may stop nowhere."""

import contextlib
import socket
import ssl

import pytest

import perigee
from edge_fleet import HOST, Responses, TlsByHand, read_head

HEAD = f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
# Shorter than any limit here by far, and longer than a turn.
PAUSE = 0.02


@pytest.fixture
def app(scripted_origin):
    def script(conn):
        while head := read_head(conn):
            if b"hunked" not in head and b"ength: 9" not in head:
                conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    return {"app": scripted_origin(script).origin()}


def trickle(s, data):
    """A byte at a time until the other side says something or ends it; what it says."""
    s.settimeout(PAUSE)
    for byte in data:
        try:
            s.sendall(bytes([byte]))
            return s.recv(65536)
        except TimeoutError:
            continue
        except OSError:
            return b""
    raise AssertionError("all of it was taken")


LONG_HEAD = f"GET / HTTP/1.1\r\nHost: {HOST}\r\nX: ".encode() + b"x" * 2000


@pytest.mark.parametrize("before", [0, 2], ids=["first", "later"])
def test_head_by_single_bytes(make_edge, app, before):
    edge = make_edge(app, http="timeout: {head: 200ms}")
    with edge.connect() as s:
        for _ in range(before):
            s.sendall(HEAD)
            assert Responses(s).response()[0] == 200
        assert trickle(s, LONG_HEAD).startswith(b"HTTP/1.1 408 ")
    assert edge.settled()["edge_end_client_head_timeout_total"] == 1


def test_hello_by_single_bytes(make_edge, app):
    edge = make_edge(app, http="timeout: {handshake: 200ms}")
    with edge.connect_tcp() as s:
        client = TlsByHand(edge, s)
        with contextlib.suppress(ssl.SSLWantReadError):
            client.tls.do_handshake()
        # user_canceled (90) and close_notify (RFC 8446 section 6.1).
        alerts = bytes.fromhex("150301000201 5a 15030100020100")
        assert trickle(s, client.outgoing.read()) == alerts
    edge.wait_counter("edge_connection_end_client_handshake_timeout_total", 1)


def test_proxy_header_by_single_bytes(make_edge, app):
    edge = make_edge(app, http="timeout: {handshake: 200ms}, proxy_protocol: [127.0.0.1/32]")
    with edge.connect_tcp() as s:
        assert trickle(s, b"PROXY TCP6 2001:db8:0000:0000:0000:0000:0000:0001 2001:db8::1 1 2") == b""
    edge.wait_counter("edge_connection_end_client_handshake_timeout_total", 1)


STOPPED = {
    "before any": b"Content-Length: 9\r\n\r\n",
    "in content": b"Content-Length: 9\r\n\r\nabc",
    "before a chunk": b"Transfer-Encoding: chunked\r\n\r\n",
    "in a chunk's size": b"Transfer-Encoding: chunked\r\n\r\n1",
    "in a chunk": b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
    "after a chunk": b"Transfer-Encoding: chunked\r\n\r\n2\r\nab",
    "in the last chunk": b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n",
    "in trailers": b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: y",
}


@pytest.mark.parametrize("rest", STOPPED.values(), ids=STOPPED.keys())
def test_content_that_stops(make_edge, app, rest):
    edge = make_edge(app, http="timeout: {body: 200ms}")
    got, _ = edge.exchange(f"POST / HTTP/1.1\r\nHost: {HOST}\r\n".encode() + rest)
    assert got.startswith(b"HTTP/1.1 408 ")
    assert edge.settled()["edge_end_client_body_timeout_total"] == 1


def test_plain_client_by_single_bytes(make_edge, app):
    edge = make_edge(app, plain=True, http="timeout: {head: 200ms}, plain: serve")
    with socket.create_connection(("127.0.0.1", edge.plain_port), timeout=perigee.PATIENCE) as s:
        assert trickle(s, LONG_HEAD).startswith(b"HTTP/1.1 408 ")
