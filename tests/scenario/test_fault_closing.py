# SPDX-License-Identifier: GPL-3.0-or-later
"""Responses that come before their request has ended, and what becomes of the rest of it. Each test
is named after what went wrong once."""

import contextlib
import socket
import threading
import time

import pytest

import perigee
from edge_fleet import HOST, Responses, read_head

H = f"Host: {HOST}\r\n"
UPLOAD = 10 * 1024 * 1024
PIECE = 64 * 1024
# For all of it: longer than an edge waits that has closed its own side and hears nothing more.
SECONDS = 4
CONTENT = b"no thank you\n"


def refuse_at_once(conn):
    read_head(conn)
    conn.sendall(b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n"
                 b"Content-Length: %d\r\n\r\n%s" % (len(CONTENT), CONTENT))


OVER = threading.Event()


def hang(conn):
    """Neither answers nor reads, so that the time for writing is over some day."""
    OVER.wait(perigee.PATIENCE)


def say_nothing(conn):
    with contextlib.suppress(TimeoutError):
        while conn.recv(65536):
            pass


def length(path, host=HOST):
    return (f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {UPLOAD}\r\n\r\n".encode(),
            b"x" * PIECE)


def broken_chunk(path):
    """What comes after the first chunk is no chunk, nor anything else."""
    return (f"POST {path} HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n"
            "1\r\nx\r\nno chunk\r\n".encode(), b"x" * PIECE)


# What is sent, piece after piece, and the status that says why it was in vain.
UPLOADS = {
    "the origin's 413": (length("/413"), 413),
    "no such path": (length("/nowhere"), 404),
    "no such host": (length("/413", "other.test"), 421),
    "broken origin": (length("/502"), 502),
    "broken chunk": (broken_chunk("/silent"), 400),
    "all servers down": (length("/503"), 503),
    "silent origin": (length("/504"), 504),
}


def upload_slowly_then_read(edge, head, piece):
    """(status, fields, body, whether it was closed in order after it)"""
    with edge.connect() as s:
        s.sendall(head)
        pieces = UPLOAD // len(piece)
        for _ in range(pieces):
            time.sleep(SECONDS / pieces)  # that is how slow it is
            s.sendall(piece)
        r = Responses(s)
        status, fields, body = r.response()
        return status, fields, body, r.at_end()


def is_whole(seen, status):
    """Whether it is the right response, all of it, and the end that it says."""
    if isinstance(seen, str):
        return False
    got, fields, body, in_order = seen
    text = CONTENT if status == 413 else str(status).encode()
    return ((got, fields.get("connection")) == (status, "close") and body.startswith(text)
            and in_order)


def test_response_was_lost_on_who_went_on_sending(make_edge, scripted_origin):
    """The edge read away 256 KiB of what nobody wanted, for 2 s, and then reset the connection: who
    first sent all of it and then read found no response (RFC 9112 section 9.6)."""
    absent = socket.create_server(("127.0.0.1", 0))
    gone = absent.getsockname()[1]
    absent.close()
    silent = scripted_origin(say_nothing)
    edge = make_edge(
        {"eager": scripted_origin(refuse_at_once).origin(),
         "silent": silent.origin(),
         # It hangs up on what it was sent.
         "broken": scripted_origin(read_head).origin(),
         "down": f'servers: ["127.0.0.1:{gone}"], all_down: refuse, '
                 "health: {check: {kind: tcp, interval: 100ms, timeout: 100ms, fall: 1}}",
         "hanging": scripted_origin(hang).origin("timeout: {response: 500ms, idle: 500ms}")},
        routes={"/413": "eager", "/silent": "silent", "/502": "broken", "/503": "down",
                "/504": "hanging"})
    perigee.wait_for(lambda: edge.status()["origins"]["down"]["servers"][0]["addresses"][0]["state"]
                     == "down", "the origin to be down")
    seen = {}

    def visit(name, head, piece):
        try:
            seen[name] = upload_slowly_then_read(edge, head, piece)
        except (OSError, AssertionError) as e:
            seen[name] = repr(e)

    threads = [threading.Thread(target=visit, args=(name, *sent))
               for name, (sent, _) in UPLOADS.items()]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    OVER.set()
    problems = [f"{name}: {seen[name]}" for name, (_, status) in UPLOADS.items()
                if not is_whole(seen[name], status)]
    assert not problems, "\n".join(problems)
    # And nobody is kept for ever.
    edge.wait_counter("edge_connections_active", 0)
    assert edge.settled()["edge_requests_total"] == len(UPLOADS)


HIDDEN = f"GET /hidden HTTP/1.1\r\n{H}\r\n".encode()


def assert_only_response(edge, request, status):
    """What is behind the request is nobody's request."""
    with edge.connect() as s:
        s.sendall(request.encode() + HIDDEN)
        r = Responses(s)
        got, fields, _ = r.response()
        assert (got, fields.get("connection")) == (status, "close")
        assert r.at_end()


def test_bytes_behind_a_refused_connect_were_a_request(make_edge, scripted_origin):
    """They may be anything: the client took what it asked for as granted."""
    seen = []
    edge = make_edge({"app": scripted_origin(lambda conn: seen.append(read_head(conn))).origin()})
    assert_only_response(edge, f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n", 501)
    c = edge.settled()
    assert c["edge_requests_total"] == 1 and c["olink_requests_total"] == 0 and not seen


@pytest.mark.parametrize("framing", ["Content-Length: 2\r\n\r\nok",
                                     "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"])
def test_bytes_behind_a_refused_upgrade_were_a_request(scripted, framing):
    """The same of an origin that answers 200 instead of 101."""
    seen = []
    over = threading.Event()

    def script(conn):
        seen.append(read_head(conn))
        conn.sendall(f"HTTP/1.1 200 OK\r\n{framing}".encode())
        # Nor do they come here by themselves.
        with contextlib.suppress(ConnectionError):
            seen.append(conn.recv(65536))
        over.set()

    edge = scripted(script, "pool: {idle_timeout: 1s}")
    assert_only_response(edge, f"GET /chat HTTP/1.1\r\n{H}Connection: Upgrade\r\n"
                         "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 200)
    c = edge.settled()
    assert c["edge_requests_total"] == 1 == c["olink_requests_total"]
    assert over.wait(perigee.PATIENCE)
    assert b"hidden" not in b"".join(seen)


@pytest.mark.parametrize("status", ["200 OK", "403 Forbidden"])
def test_early_response_did_not_say_that_it_closes(scripted, status):
    """An origin answered with content before the request had ended: the connection was closed after
    it, but a client that believed the response sent its next request on it."""
    def script(conn):
        read_head(conn)
        conn.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(CONTENT)}\r\n\r\n".encode()
                     + CONTENT)

    edge = scripted(script)
    with edge.connect() as s:
        s.sendall(f"POST / HTTP/1.1\r\n{H}Content-Length: 1000000\r\n\r\n".encode() + b"x" * 1000)
        r = Responses(s)
        got, fields, body = r.response()
        assert (got, body) == (int(status.split()[0]), CONTENT)
        assert fields.get("connection") == "close" and r.at_end()
    edge.wait_counter("edge_connections_active", 0)
