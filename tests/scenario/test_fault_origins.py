# SPDX-License-Identifier: GPL-3.0-or-later
"""Origins that vanish, hesitate or say nothing, and who waits for them. Each test is named after
what went wrong once."""

import contextlib
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

import netns
import perigee
from edge_fleet import HOST, Responses, Sending, read_head, reset

H = f"Host: {HOST}\r\n"
GET = f"GET / HTTP/1.1\r\n{H}\r\n".encode()
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def cable():
    if not netns.is_allowed():
        pytest.skip("needs to make network namespaces: run as root")
    with netns.Cable(["192.0.2.11", "192.0.2.12"]) as made:
        yield made


def timed_get(edge):
    """(status, seconds); the status is 000 when there was none in 15 s."""
    got = edge.curl("-o", "/dev/null", "-w", "%{http_code} %{time_total}", "--max-time", 15,
                    edge.url("/"), check=False).stdout
    status, seconds = got.split()
    return status, float(seconds)


def idle(edge):
    """How many idle connections there are to each address of the origin."""
    return [a["idle"] for server in edge.status()["origins"]["app"]["servers"]
            for a in server["addresses"]]


def test_vanished_server_costs_a_response_timeout(cable, processes, tmp_path, make_edge):
    """Requests went out on its pooled connections, into nothing, and were answered 504 after 30 s,
    though the other server was well."""
    origins = []
    for i, address in enumerate(cable.far_addresses):
        origins.append(perigee.Origin(tmp_path / f"origin{i}.log", ["--listen", f"{address}:0"],
                                      inside=cable.inside(cable.far)))
        processes.append(origins[-1])
    edge = make_edge(
        {"app": f"servers: [{', '.join(repr(o.address) for o in origins)}], "
                "health: {enabled: false}, timeout: {connect: 1s}"},
        inside=cable.inside(cable.near))
    # Both have idle connections, however an edge chooses between them.
    edge.curl("-f", "-Z", "--parallel-immediate", "-o", "/dev/null",
              edge.url("/delay/200") + "?[1-8]")
    perigee.wait_for(lambda: min(idle(edge)) > 0, "idle connections to both")
    cable.lose("192.0.2.12")
    for _ in range(6):
        status, seconds = timed_get(edge)
        assert status == "200" and seconds < 6


def fill(listener):
    """Makes a black hole of a listener: what comes when its queue is full is not even refused.
    What fills it, to be closed."""
    queue = contextlib.ExitStack()
    address = listener.getsockname()
    for _ in range(8):
        s = queue.enter_context(socket.socket())
        s.settimeout(0.1)
        try:
            s.connect(address)
        except TimeoutError:
            return queue
    raise AssertionError("the queue of a listener has no end")


def test_only_two_addresses_are_tried(make_edge, scripted_origin):
    """With five, four of them black holes, it was a matter of whose turn it was."""
    def script(conn):
        while read_head(conn):
            conn.sendall(OK)

    alive = scripted_origin(script)
    with contextlib.ExitStack() as stack:
        holes = [stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
                 for _ in range(4)]
        for hole in holes:
            stack.enter_context(fill(hole))
        servers = [f"127.0.0.1:{s.getsockname()[1]}" for s in holes]
        servers.append(f"127.0.0.1:{alive.port}")
        edge = make_edge({"app": f"servers: {servers}, health: {{enabled: false}}, "
                                 "timeout: {connect: 2s}, pool: {max_idle: 0}"})
        # Each of them is the first one once.
        for _ in servers:
            status, seconds = timed_get(edge)
            assert status == "200" and seconds < 4


@pytest.fixture
def slow_origin(scripted_origin):
    """slow_origin(slowly): an origin that takes an upload so, then all of it, and answers."""
    def make(slowly):
        def script(conn):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += conn.recv(1)
            left = int(head.lower().partition(b"content-length: ")[2].split(b"\r")[0])
            left -= slowly(conn)
            while left > 0:
                data = conn.recv(min(left, 1 << 20))
                if not data:
                    return
                left -= len(data)
            conn.sendall(OK)

        # So that what is acknowledged is what is taken, a few times a second.
        return scripted_origin(script, receive_buffer=16 * 1024)

    return make


def upload(edge, size):
    with edge.connect() as s:
        s.sendall(f"POST / HTTP/1.1\r\n{H}Content-Length: {size}\r\n\r\n".encode())
        return Responses(Sending(s, b"x" * size)).response()[0]


def test_slow_upload_was_a_write_timeout(make_edge, slow_origin):
    """The time for a write ran until all was written, not until something was: an origin that took
    80 KB/s was given up after timeout.idle."""
    def slowly(conn):
        taken, until = 0, time.monotonic() + 3.5
        while time.monotonic() < until:
            taken += len(conn.recv(8 * 1024))
            time.sleep(0.1)  # that is how slow it is
        return taken

    edge = make_edge({"app": slow_origin(slowly).origin("timeout: {idle: 1s}")})
    assert upload(edge, 8 * 1000 * 1000) == 200
    assert edge.settled()["edge_end_done_total"] == 1


def test_origin_that_takes_nothing_is_a_write_timeout(make_edge, slow_origin):
    """And is to remain one."""
    over = threading.Event()

    def not_at_all(conn):
        assert over.wait(perigee.PATIENCE)
        raise ConnectionError("enough")

    edge = make_edge({"app": slow_origin(not_at_all).origin("timeout: {idle: 1s}")})
    assert upload(edge, 8 * 1000 * 1000) == 504
    assert edge.settled()["edge_end_origin_write_timeout_total"] == 1
    over.set()


def test_silent_origin_of_an_expectation_was_the_clients_fault(scripted):
    """The client waits to be told to go on, the origin says nothing: it was answered 408 after the
    client's time for content was over."""
    edge = scripted(lambda conn: read_head(conn) and conn.recv(1), "timeout: {response: 1s}",
                    http="timeout: {body: 6s}")
    with edge.connect() as s:
        s.sendall(f"POST / HTTP/1.1\r\n{H}Content-Length: 5\r\n"
                  "Expect: 100-continue\r\n\r\n".encode())
        r = Responses(s)
        status, fields, _ = r.response()
        assert status == 504 and fields["connection"] == "close" and r.at_end()
    assert edge.settled()["edge_end_origin_head_timeout_total"] == 1


def test_reset_behind_a_byte_ahead_was_not_seen(scripted):
    """The edge reads one read ahead of a request's turn; with that it was deaf to the end of the
    client, and held on to the origin until its time was over."""
    let_go = threading.Event()

    def script(conn):
        read_head(conn)
        try:
            if conn.recv(1) == b"":
                let_go.set()
        except ConnectionError:
            let_go.set()

    edge = scripted(script, "timeout: {response: 10m, idle: 10m}")
    s = edge.connect()
    s.sendall(GET + b"G")
    edge.wait_counter("edge_requests_active", 1)
    reset(s)
    assert let_go.wait(15)
    perigee.wait_for(lambda: edge.counters()["edge_requests_active"] == 0, "the request to end", 15)
    edge.wait_counter("edge_connections_active", 0)


class Crowd:
    """An origin's script that answers nobody before it is told to, and counts who is there."""

    def __init__(self):
        self.lock, self.go = threading.Lock(), threading.Event()
        self.open = self.most = 0

    def __call__(self, conn):
        with self.lock:
            self.open += 1
            self.most = max(self.most, self.open)
        try:
            while head := read_head(conn):
                left = int(head.lower().partition(b"content-length: ")[2].split(b"\r")[0])
                left -= len(head.partition(b"\r\n\r\n")[2])
                assert self.go.wait(perigee.PATIENCE)
                while left > 0:
                    data = conn.recv(min(left, 65536))
                    if not data:
                        return
                    left -= len(data)
                conn.sendall(OK)
        finally:
            with self.lock:
                self.open -= 1


@pytest.fixture
def uploads(tmp_path):
    """uploads(edge, n): begins so many at once; .wait() for their statuses."""
    started = []

    class Uploads:
        def __init__(self, edge, n):
            body = tmp_path / "body"
            body.write_bytes(b"x" * 100000)
            self.child = subprocess.Popen(
                ["curl", "-sS", "--http1.1", "-Z", "--parallel-immediate", "--parallel-max", str(n),
                 "--cacert", edge.authority.certificate,
                 "--resolve", f"{HOST}:{edge.port}:127.0.0.1", "--max-time", "60",
                 "-H", "Expect:", "-o", "/dev/null", "-w", "%{http_code}\\n",
                 "--data-binary", f"@{body}", edge.url("/") + f"?[1-{n}]"],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            started.append(self.child)

        def wait(self):
            said, _ = self.child.communicate(timeout=60)
            return sorted(said.split())

    yield Uploads
    for child in started:
        if child.poll() is None:
            child.kill()
            child.wait()


def test_every_upload_opened_an_origin_connection(make_edge, scripted_origin, uploads):
    """600 at once opened 600; now so many as the origin is said to stand, and the others wait."""
    n, most = 200, 20
    crowd = Crowd()
    edge = make_edge({"app": scripted_origin(crowd).origin(
        f"limit: {{connections: {most}, queue: 1000}}, timeout: {{queue: 30s}}")})
    begun = uploads(edge, n)
    edge.wait_counter("edge_requests_active", n)
    perigee.wait_for(lambda: crowd.open >= most, "as many connections as there may be")
    crowd.go.set()
    assert begun.wait() == ["200"] * n
    assert crowd.most == most
    c = edge.settled()
    assert c["edge_responses_2xx_total"] == n == c["edge_end_done_total"]


def test_queue_for_origin_connections_is_bounded(make_edge, scripted_origin, uploads):
    """Who finds it full is told so at once."""
    n, most, queue = 100, 20, 5
    crowd = Crowd()
    edge = make_edge({"app": scripted_origin(crowd).origin(
        f"limit: {{connections: {most}, queue: {queue}}}, timeout: {{queue: 30s}}")})
    begun = uploads(edge, n)
    perigee.wait_for(lambda: edge.counters()["edge_responses_5xx_total"] == n - most - queue,
                     "those to be refused for whom there is no room")
    edge.wait_counter("edge_requests_active", most + queue)
    assert crowd.open == most
    crowd.go.set()
    assert begun.wait() == ["200"] * (most + queue) + ["503"] * (n - most - queue)
    assert crowd.most == most


def test_full_queue_did_not_say_when_to_come_again(make_edge, scripted_origin, uploads):
    crowd = Crowd()
    edge = make_edge({"app": scripted_origin(crowd).origin(
        "limit: {connections: 1, queue: 0}, timeout: {queue: 30s}")})
    begun = uploads(edge, 1)
    perigee.wait_for(lambda: crowd.open == 1, "the one connection")
    got = edge.curl("-i", edge.url("/")).stdout
    crowd.go.set()
    assert begun.wait() == ["200"]
    assert got.startswith("HTTP/1.1 503 ") and "\nRetry-After: 1\n" in got, got


def sockets_towards(port):
    """The states, in the kernel's numbers, of sockets whose other end is a local port."""
    found = []
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[2].partition(":")[2], 16) == port:
            found.append(int(fields[3], 16))
    return found


CLOSE_WAIT = 8


def test_closed_idle_connections_were_kept(make_edge, scripted_origin):
    """Nobody looked at them unless some were to be kept warm: they stood in CLOSE_WAIT, and were
    reported as idle, until a request wanted one."""
    close = threading.Event()

    def script(conn):
        read_head(conn)
        conn.sendall(OK)
        assert close.wait(perigee.PATIENCE)

    origin = scripted_origin(script)
    edge = make_edge({"app": origin.origin("pool: {idle_timeout: 1h, warm: 0}")})

    edge.curl(edge.url("/"))
    perigee.wait_for(lambda: idle(edge) == [1], "the connection to be idle")
    close.set()
    # 2 s, and as much again for a slow machine.
    perigee.wait_for(lambda: idle(edge) == [0], "its end to be noticed", 6)
    perigee.wait_for(lambda: CLOSE_WAIT not in sockets_towards(origin.port), "it to be closed", 6)
    assert edge.curl("-f", edge.url("/")).returncode == 0
