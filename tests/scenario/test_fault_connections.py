# SPDX-License-Identifier: GPL-3.0-or-later
"""Many connections at once: who waits for whom, and who has to give way. Each test is named after
what went wrong once."""

import contextlib
import socket
import ssl
import threading
from pathlib import Path

import pytest

import perigee
from edge_fleet import HOST, Responses, is_broken_off, read_head

H = f"Host: {HOST}\r\n"
GET = f"GET / HTTP/1.1\r\n{H}\r\n".encode()
ABSENT = 'servers: ["127.0.0.1:1"], health: {enabled: false}'


def need_files(n):
    if not perigee.allow_open_files(n):
        pytest.skip(f"needs {n} open files: raise the hard limit (ulimit -Hn)")


def answer(conn, body=b"ok"):
    """An origin's script: says the same to every request."""
    while read_head(conn):
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def get(s):
    """The status of one request on an open connection."""
    s.sendall(GET)
    return Responses(s).response()[0]


# What a client that wants nothing but a place has sent: nothing at all, or the start of a hello.
@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01"], ids=["nothing", "a beginning"])
def test_silent_connections_keep_newcomers_waiting(make_edge, sent):
    """256 that said nothing held all places of the handshakes, until their time was over."""
    need_files(4000)
    edge = make_edge({"app": ABSENT}, http="timeout: {handshake: 60s}")

    def visit():
        got = edge.curl("-w", "%{time_total}", "--max-time", 20,
                        edge.url("/.well-known/perigee/health"), check=False)
        assert got.returncode == 0 and got.stdout.startswith("ok\n"), got
        return float(got.stdout.splitlines()[1])

    quiet = visit()
    with contextlib.ExitStack() as silent:
        for _ in range(1500):
            s = silent.enter_context(edge.connect_tcp())
            if sent:
                # The oldest ones may have had to give way meanwhile.
                with contextlib.suppress(ConnectionError):
                    s.sendall(sent)
        for _ in range(3):
            assert visit() < 2 + 10 * quiet


def test_pipelining_clients_starve_handshakes(make_edge, busy_clients):
    """A worker took two steps of all handshakes together in a turn, however long the turn was."""
    # A sanitizer makes both sides slow: fewer will do.
    clients, newcomers = (200, 20) if perigee.sanitized() else (600, 60)
    need_files(4000)
    edge = make_edge({"app": ABSENT}, http="timeout: {handshake: 60s}")
    # Short ones, which nobody serves: their work is to be the edge's alone.
    busy_clients(edge, clients, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 600)
    # All of them are being served.
    busy = edge.counters()["edge_requests_total"] + clients * 30
    perigee.wait_for(lambda: edge.counters()["edge_requests_total"] > busy, "requests of all")
    failed = []

    def visit():
        try:
            edge.connect().close()
        except OSError as e:
            failed.append(repr(e))

    threads = [threading.Thread(target=visit) for _ in range(newcomers)]
    before = edge.counters()["edge_requests_total"]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    served = edge.counters()["edge_requests_total"] - before
    assert not failed
    # In requests, so that it says the same on a slow machine: a handshake takes the time of one or
    # two hundred, and each client was served nine for one handshake.
    assert served / newcomers < 4 * clients


def closed_in_order(s):
    """Whether the edge has closed this connection, with close_notify; does not wait."""
    s.setblocking(False)
    try:
        return s.recv(1) == b""
    except ssl.SSLWantReadError:
        return False
    finally:
        s.settimeout(perigee.PATIENCE)


def is_turned_away(edge):
    try:
        with edge.connect() as s:
            s.sendall(GET)
            return s.recv(1) == b""
    except OSError:
        return True


def close_all(connections):
    for s in connections:
        s.close()


def test_oldest_of_too_many_silent_ones_gives_way(make_edge):
    """Which is what bounds them instead."""
    edge = make_edge({"app": ABSENT}, http="timeout: {handshake: 60s}, limit: {silent: 20}")
    with contextlib.ExitStack() as silent:
        connections = [silent.enter_context(edge.connect_tcp()) for _ in range(30)]
        for s in connections[:10]:
            assert is_broken_off(s)
        connections[-1].setblocking(False)
        with pytest.raises(BlockingIOError):
            connections[-1].recv(1)
        edge.connect().close()


@pytest.mark.parametrize("workers", [1, 4])
def test_connection_limit_was_split_between_workers(make_edge, scripted_origin, workers):
    """Each worker had its share of the limit, and a newcomer on a full one was closed while others
    had room; and nobody idle gave way to anybody."""
    limit = 100
    edge = make_edge({"app": scripted_origin(answer).origin()}, workers=workers,
                     http=f"limit: {{connections: {limit}}}")
    held = []
    for _ in range(limit):
        held.append(edge.connect())
        assert get(held[-1]) == 200
    assert all(get(s) == 200 for s in held)
    c = edge.settled()
    assert c["edge_connections_active"] == limit and c["edge_connections_refused_total"] == 0
    # They have been idle since, the first one for the longest time.
    newcomer = edge.connect()
    assert get(newcomer) == 200
    gone = perigee.wait_for(lambda: [i for i, s in enumerate(held) if closed_in_order(s)],
                            "an idle connection to give way")
    # Whose time was longest is known of one worker's connections at least.
    assert gone == [0] if workers == 1 else len(gone) == 1 and gone[0] < limit // 2
    edge.wait_counter("edge_connections_active", limit)
    held.pop(gone[0]).close()
    assert all(get(s) == 200 for s in [*held, newcomer])
    close_all([*held, newcomer])
    edge.wait_counter("edge_connections_active", 0)


@pytest.mark.parametrize("workers", [1, 4])
def test_connections_with_requests_never_give_way(make_edge, scripted_origin, workers):
    """The other half of it: an idle one goes, whosever it is, and when none is the newcomer."""
    limit = 8
    release = threading.Event()

    def script(conn):
        while head := read_head(conn):
            if b"/wait" in head:
                assert release.wait(perigee.PATIENCE)
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    edge = make_edge({"app": scripted_origin(script).origin()}, workers=workers,
                     http=f"limit: {{connections: {limit}}}")
    busy = [edge.connect() for _ in range(limit - 1)]
    for s in busy:
        s.sendall(f"GET /wait HTTP/1.1\r\n{H}\r\n".encode())
    edge.wait_counter("edge_requests_active", limit - 1)
    idle = edge.connect()
    assert get(idle) == 200
    edge.wait_counter("edge_requests_active", limit - 1)
    # One is idle, and goes.
    last = edge.connect()
    last.sendall(f"GET /wait HTTP/1.1\r\n{H}\r\n".encode())
    edge.wait_counter("edge_requests_active", limit)
    assert idle.recv(1) == b""
    idle.close()
    # None is.
    refused = edge.counters()["edge_connections_refused_total"]
    assert is_turned_away(edge)
    assert edge.counters()["edge_connections_refused_total"] == refused + 1
    release.set()
    for s in [*busy, last]:
        assert Responses(s).response()[0] == 200
    close_all([*busy, last])


def bytes_queued(port):
    """What the kernel holds for sending on each connection of a local port."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].partition(":")[2], 16) == port:
            yield int(fields[4].partition(":")[0], 16)


def test_clients_that_do_not_read_filled_the_memory(make_edge, scripted_origin):
    """Each of them held a read from its origin, and megabytes in the kernel; nothing bounded it."""
    clients, size, budget = 300, 8 * 1000 * 1000, 4 << 20
    need_files(4000)
    block = b"x" * 100000

    def script(conn):
        while head := read_head(conn):
            if b"/small" in head:
                conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                continue
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            for _ in range(size // len(block)):
                conn.sendall(block)

    edge = make_edge({"app": scripted_origin(script).origin()},
                     http=f"limit: {{buffered: {budget >> 20}MiB}}, timeout: {{write: 10m}}")
    assert edge.curl(edge.url("/small")).stdout == "ok"
    context = edge.client_context()
    before = edge.resident_bytes()
    stalled = []
    for _ in range(clients):
        s = socket.socket()
        # Before it connects: so that the kernel of the client takes little.
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        s.settimeout(perigee.PATIENCE)
        s.connect(("127.0.0.1", edge.port))
        stalled.append(context.wrap_socket(s, server_hostname=HOST))
        stalled[-1].sendall(GET)
    perigee.wait_for(lambda: edge.counters()["edge_requests_total"] == clients + 1, "all to ask")
    assert edge.curl("--max-time", 20, edge.url("/small")).stdout == "ok"
    perigee.wait_for(lambda: edge.counters()["edge_stalled_cut_total"] > 0,
                     "the longest stalled to be cut off")
    grown = edge.resident_bytes() - before
    # Beside the budget a connection's own: session, request, and what malloc makes of it.
    assert perigee.sanitized() or grown < budget + clients * 64 * 1024
    assert sum(bytes_queued(edge.port)) < clients << 20
    close_all(stalled)
    edge.wait_counter("edge_connections_active", 0)


def test_slow_heads_held_all_places(make_edge, scripted_origin):
    """Whoever had begun a request kept its place until http.timeout.head, and newcomers were turned
    away."""
    edge = make_edge({"app": scripted_origin(answer).origin()},
                     http="limit: {connections: 3}, timeout: {head: 1h}")
    with contextlib.ExitStack() as clients:
        slow = [clients.enter_context(edge.connect()) for _ in range(3)]
        # The first was served last, the others are at a head since they came.
        assert get(slow[0]) == 200
        for s in slow[1:]:
            s.sendall(GET[:-2])
        edge.wait_counter("edge_client_bytes_received_total", 3 * len(GET) - 4)
        newcomers = [clients.enter_context(edge.connect())]
        assert is_broken_off(slow[1]) and get(newcomers[0]) == 200
        # Who has not yet had to go can end its head, and is like one that has just come.
        slow[2].sendall(b"\r\n")
        assert Responses(slow[2]).response()[0] == 200
        newcomers.append(clients.enter_context(edge.connect()))
        assert slow[0].recv(1) == b"" and get(newcomers[1]) == 200
    edge.wait_counter("edge_connections_active", 0)
    c = edge.counters()
    assert c["edge_connections_refused_total"] == 0
    assert c["edge_connections_displaced_total"] == 2
    assert c["edge_requests_total"] == 4


def test_newcomer_gave_way_before_its_first_request(make_edge, scripted_origin):
    """To the next newcomer, while others stayed at their heads: with newcomers enough nobody was
    served."""
    edge = make_edge({"app": scripted_origin(answer).origin()},
                     http="limit: {connections: 3}, timeout: {head: 1h}")
    with contextlib.ExitStack() as clients:
        slow = [clients.enter_context(edge.connect()) for _ in range(3)]
        for s in slow:
            s.sendall(GET[:-2])
        edge.wait_counter("edge_client_bytes_received_total", 3 * (len(GET) - 2))
        newcomer = clients.enter_context(edge.connect())
        clients.enter_context(edge.connect())
        assert is_broken_off(slow[0]) and is_broken_off(slow[1])
        assert get(newcomer) == 200
    assert edge.settled()["edge_connections_displaced_total"] == 2


def test_full_of_slow_heads_lets_a_request_through(make_edge, scripted_origin):
    edge = make_edge({"app": scripted_origin(answer).origin()}, workers=2,
                     http="limit: {connections: 20}, timeout: {head: 1h}")
    with contextlib.ExitStack() as clients:
        for _ in range(20):
            clients.enter_context(edge.connect()).sendall(GET[:-2])
        edge.wait_counter("edge_client_bytes_received_total", 20 * (len(GET) - 2))
        for _ in range(5):
            with edge.connect() as s:
                assert get(s) == 200
    assert edge.settled()["edge_connections_refused_total"] == 0
