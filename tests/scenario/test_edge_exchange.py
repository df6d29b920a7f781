# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: what goes on in an exchange: tunnels, deadlines of both directions, the listeners
without TLS. Raw clients without TLS, so that each side can end by itself."""

import json
import signal
import socket
import struct
import threading
import time

import pytest

import perigee
from edge_fleet import HOST, Edge, Responses, ScriptedOrigin, read_head, read_to_end

H = f"Host: {HOST}\r\n"
UPGRADE = H + "Connection: upgrade\r\nUpgrade: test\r\n"
AGREED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: test\r\n\r\n"


@pytest.fixture
def scripted(processes, tmp_path, authority, certificate):
    """scripted(script): an edge that serves without TLS too, and its origin."""
    origins = []

    def make(script, more="", http="", plain="serve"):
        origins.append(ScriptedOrigin(script))
        sites = {"www": ([HOST], [certificate], {"/": "app"})}
        edge = Edge(tmp_path, authority, sites, {"app": origins[-1].origin(more)},
                    f"plain: {plain}, {http}", plain=True)
        processes.append(edge)
        return edge

    yield make
    for o in origins:
        o.close()


def connect(edge):
    s = socket.create_connection(edge.addresses()[1], timeout=perigee.PATIENCE)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def ask(s, text):
    s.sendall(text if isinstance(text, bytes) else text.encode())


def log_line(edge):
    perigee.wait_for(lambda: edge.access_log_path.exists()
                     and edge.access_log_path.read_text().endswith("\n"), "a line in the log")
    return json.loads(edge.access_log_path.read_text().splitlines()[-1])


# Time


def test_half_sent_content_after_an_expectation_is_not_waited_for_for_ever(scripted):
    """Who had sent some of it without leave, and then nothing, was watched by nobody."""
    def script(conn):
        read_head(conn)
        conn.recv(1)

    edge = scripted(script, http="timeout: {body: 200ms}")
    with connect(edge) as s:
        s.settimeout(5)
        ask(s, f"POST / HTTP/1.1\r\n{H}Content-Length: 9\r\nExpect: 100-continue\r\n\r\nab")
        assert Responses(s).head()[0] == 408


def test_origin_that_stalls_in_its_refusal_of_an_expectation_is_given_up(scripted):
    """Neither its time nor the client's was running."""
    done = threading.Event()

    def script(conn):
        read_head(conn)
        conn.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 9\r\n\r\nno")
        done.wait(perigee.PATIENCE)

    edge = scripted(script, more="timeout: {idle: 200ms}", http="timeout: {body: 200ms}")
    with connect(edge) as s:
        s.settimeout(5)
        ask(s, f"POST / HTTP/1.1\r\n{H}Content-Length: 9\r\nExpect: 100-continue\r\n\r\n")
        got, orderly = read_to_end(s)
        assert got.startswith(b"HTTP/1.1 401 ") and not orderly
    done.set()
    edge.wait_counter("edge_end_origin_body_timeout_total", 1)


def test_crumbs_of_content_do_not_save_a_client_that_takes_nothing(scripted):
    """Each piece of the request began the time for the response anew."""
    def script(conn):
        read_head(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        sent = 0
        while sent < 100000000:
            conn.sendall(b"x" * 100000)
            sent += 100000

    edge = scripted(script, http="timeout: {write: 500ms}")
    with connect(edge) as s:
        ask(s, f"POST / HTTP/1.1\r\n{H}Content-Length: 1000000\r\n\r\n")
        end = time.monotonic() + 8
        with pytest.raises(OSError):
            while time.monotonic() < end:
                s.sendall(b"x")
                time.sleep(0.1)
    edge.wait_counter("edge_end_client_write_timeout_total", 1)


def test_client_that_only_listens_gets_all_of_an_early_response(scripted):
    """A client that stops its upload because it is answered lost the answer."""
    def script(conn):
        read_head(conn)
        conn.sendall(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 8\r\n\r\n")
        for _ in range(8):
            time.sleep(0.1)
            conn.sendall(b"x")

    edge = scripted(script, http="timeout: {body: 300ms}")
    with connect(edge) as s:
        ask(s, f"POST / HTTP/1.1\r\n{H}Content-Length: 1000\r\n\r\nab")
        assert Responses(s).response()[2] == b"x" * 8


def test_trailer_line_longer_than_the_credit_is_read(scripted):
    """It was waited for without being read."""
    def script(conn):
        data = read_head(conn)
        while not data.endswith(b"\r\n\r\n") or b"\r\n0\r\n" not in data:
            data += conn.recv(65536)
        assert b"\r\nA: " + b"x" * 200000 + b"\r\n" in data
        conn.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    edge = scripted(script, http="timeout: {body: 1s}, limit: {head_bytes: 256KiB}")
    with connect(edge) as s:
        ask(s, f"PUT / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: "
            + "x" * 200000 + "\r\n\r\n")
        assert Responses(s).head()[0] == 204


# Tunnels


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_tunnel_carries_what_is_early_on_both_sides(scripted, method):
    def script(conn):
        head = read_head(conn)
        head, _, early = head.partition(b"\r\n\r\n")
        assert early == b"" and b"Upgrade: test" in head
        conn.sendall(AGREED + b"from origin")
        data = b""
        while chunk := conn.recv(100):
            data += chunk
        conn.sendall(b", at the end: " + data)

    edge = scripted(script)
    with connect(edge) as s:
        ask(s, f"{method} / HTTP/1.1\r\n{UPGRADE}\r\nearly")
        r = Responses(s)
        status, fields = r.head()
        assert status == 101 and fields["upgrade"] == "test" and fields["connection"] == "upgrade"
        ask(s, ", late")
        s.shutdown(socket.SHUT_WR)
        while r.more():
            pass
        assert r.buffer == b"from origin, at the end: early, late"
    c = edge.settled()
    assert c["edge_end_done_total"] == 1 and c["edge_responses_1xx_total"] == 1
    line = log_line(edge)
    assert (line["status"], line["bytes_in"], line["bytes"]) == (101, 11, 36)
    assert (line["site"], line["origin"], line["end"]) == ("www", "app", "done")


def test_client_that_has_ended_before_the_tunnel_opens(scripted):
    go = threading.Event()

    def script(conn):
        read_head(conn)
        assert go.wait(perigee.PATIENCE)
        conn.sendall(AGREED)
        assert conn.recv(1) == b""
        conn.sendall(b"bye")

    edge = scripted(script)
    with connect(edge) as s:
        ask(s, f"GET / HTTP/1.1\r\n{UPGRADE}\r\n")
        s.shutdown(socket.SHUT_WR)
        time.sleep(0.2)
        go.set()
        got, orderly = read_to_end(s)
        assert got.endswith(b"\r\n\r\nbye") and orderly


def test_early_bytes_and_end_before_the_tunnel_opens(scripted):
    go = threading.Event()

    def script(conn):
        read_head(conn)
        assert go.wait(perigee.PATIENCE)
        conn.sendall(AGREED)
        data = b""
        while chunk := conn.recv(100):
            data += chunk
        conn.sendall(data)

    edge = scripted(script)
    with connect(edge) as s:
        ask(s, f"GET / HTTP/1.1\r\n{UPGRADE}\r\nhello")
        s.shutdown(socket.SHUT_WR)
        time.sleep(0.2)
        go.set()
        got, orderly = read_to_end(s)
        assert got.endswith(b"\r\n\r\nhello") and orderly


def test_origin_ends_first(scripted):
    got = []

    def script(conn):
        read_head(conn)
        conn.sendall(AGREED + b"bye")
        conn.shutdown(socket.SHUT_WR)
        while chunk := conn.recv(100):
            got.append(chunk)

    edge = scripted(script)
    with connect(edge) as s:
        ask(s, f"GET / HTTP/1.1\r\n{UPGRADE}\r\n")
        data, orderly = read_to_end(s)
        assert data.endswith(b"bye") and orderly
        ask(s, "still")
        time.sleep(0.1)
        ask(s, "here")
        s.shutdown(socket.SHUT_WR)
        edge.wait_counter("edge_requests_active", 0)
    perigee.wait_for(lambda: b"".join(got) == b"stillhere", "all that was sent")
    assert edge.settled()["edge_end_done_total"] == 1


def test_origin_that_breaks_a_tunnel_after_its_own_end_is_no_success(scripted):
    """What the client had sent was lost, and the log said done."""
    go = threading.Event()

    def script(conn):
        read_head(conn)
        conn.sendall(AGREED + b"bye")
        conn.shutdown(socket.SHUT_WR)
        assert go.wait(perigee.PATIENCE)
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    edge = scripted(script)
    with connect(edge) as s:
        ask(s, f"GET / HTTP/1.1\r\n{UPGRADE}\r\n")
        data, _ = read_to_end(s)
        assert data.endswith(b"bye")
        go.set()
        time.sleep(0.3)
        with pytest.raises(OSError):
            for _ in range(100):
                s.sendall(b"lost")
                time.sleep(0.02)
    edge.wait_counter("edge_requests_active", 0)
    assert log_line(edge)["end"] in ("origin-reset", "origin-truncated")


def test_tunnel_refused_closes_and_drops_what_followed(scripted):
    def script(conn):
        while head := read_head(conn):
            assert b"/next" not in head
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno")

    edge = scripted(script)
    with connect(edge) as s:
        ask(s, f"GET / HTTP/1.1\r\n{UPGRADE}\r\nGET /next HTTP/1.1\r\n{H}\r\n")
        got, orderly = read_to_end(s)
        assert got.count(b"HTTP/1.1 ") == 1 and b"Connection: close\r\n" in got and orderly
    assert edge.settled()["edge_requests_total"] == 1


def test_silent_tunnel_ends(scripted):
    def script(conn):
        read_head(conn)
        conn.sendall(AGREED)
        # Bytes of one side are enough.
        for _ in range(8):
            time.sleep(0.1)
            conn.sendall(b"x")
        conn.recv(1)

    edge = scripted(script, http="timeout: {tunnel: 400ms}")
    with connect(edge) as s:
        ask(s, f"GET / HTTP/1.1\r\n{UPGRADE}\r\n")
        got, _ = read_to_end(s)
        assert got.endswith(b"\r\n\r\n" + b"x" * 8)
    edge.wait_counter("edge_end_tunnel_idle_timeout_total", 1)


def test_tunnel_bulk_both_ways(scripted):
    def script(conn):
        read_head(conn)
        conn.sendall(AGREED)
        while chunk := conn.recv(65536):
            conn.sendall(chunk)

    edge = scripted(script)
    n = 20000000
    with connect(edge) as s:
        ask(s, f"GET / HTTP/1.1\r\n{UPGRADE}\r\n")
        r = Responses(s)
        assert r.head()[0] == 101

        def send():
            for _ in range(n // 100000):
                s.sendall(b"0123456789" * 10000)
            s.shutdown(socket.SHUT_WR)

        t = threading.Thread(target=send)
        t.start()
        total = len(r.buffer)
        while chunk := s.recv(1 << 20):
            total += len(chunk)
        t.join()
        assert total == n
    assert edge.settled()["edge_end_done_total"] == 1


def echo(conn):
    read_head(conn)
    conn.sendall(AGREED)
    while chunk := conn.recv(65536):
        conn.sendall(chunk)


def test_tunnel_outlives_the_configuration_that_it_began_with(scripted):
    edge = scripted(echo)
    with connect(edge) as s:
        ask(s, f"GET / HTTP/1.1\r\n{UPGRADE}\r\n")
        r = Responses(s)
        assert r.head()[0] == 101
        for n in range(1, 4):
            edge.fleet.write_text(edge.fleet.read_text().replace("app", "another"))
            edge.reload()
            edge.wait_counter("edge_reloads_total", n)
            ask(s, "still here")
            assert r.bytes(10) == b"still here"
    edge.wait_counter("edge_requests_active", 0)
    line = log_line(edge)
    assert (line["origin"], line["bytes_in"], line["bytes"]) == ("app", 30, 30)


def test_stop_cuts_a_tunnel_off(scripted):
    edge = scripted(echo, http="timeout: {shutdown: 300ms}")
    with connect(edge) as s:
        ask(s, f"GET / HTTP/1.1\r\n{UPGRADE}\r\n")
        r = Responses(s)
        assert r.head()[0] == 101
        edge.send_signal(signal.SIGTERM)
        perigee.wait_for(lambda: "stopping" in edge.log(), "the edge to stop")
        # Until then it goes on.
        ask(s, "ping")
        assert r.bytes(4) == b"ping"
        got, orderly = read_to_end(s)
        assert got == b"" and not orderly
    assert edge.wait() == 0
    line = log_line(edge)
    assert (line["status"], line["end"]) == (101, "shutdown")


# Without TLS


@pytest.mark.parametrize("path", ["../secret", "%2e%2e/secret", "a/../../secret", "..%2fsecret", "",
                                  "a\\..\\secret"])
def test_no_other_path_passes_for_a_challenge(scripted, path):
    """An origin that resolves dots served without TLS what is to be served with it only."""
    def script(conn):
        read_head(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    edge = scripted(script, plain="redirect")
    with connect(edge) as s:
        ask(s, f"GET /.well-known/acme-challenge/{path} HTTP/1.1\r\n{H}\r\n")
        status, fields = Responses(s).head()
        if any(ambiguous in path for ambiguous in ("%2f", "\\")):
            assert status == 400
        else:
            assert status == 308
            assert fields["location"] == f"https://{HOST}/.well-known/acme-challenge/{path}"
    with connect(edge) as s:
        ask(s, f"GET /.well-known/acme-challenge/aB3-_x HTTP/1.1\r\n{H}\r\n")
        assert Responses(s).head()[0] == 200
