# SPDX-License-Identifier: GPL-3.0-or-later
"""Too few file descriptors: who is refused, who is not, and who is not to blame. Each test is named
after what went wrong once."""

import contextlib
import resource
import socket
import subprocess
import threading

import dns.message
import dns.query
import pytest

import perigee
from dns_fleet import World, answer_data
from edge_fleet import HOST, Responses, read_head

GET = f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
# Often, and blamed at once; but a busy machine is no fault of the origin's.
CHECKED = "health: {check: {interval: 3s, timeout: 3s, fall: 1}}"


def allowed(n):
    """The words before a command line that has so few."""
    return ("prlimit", f"--nofile={n}:{n}")


@contextlib.contextmanager
def none_left(process):
    """All that it does not have yet is refused to a running process, as by the whole machine's
    limit."""
    limits = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        yield
    finally:
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, limits)


def get(s):
    s.sendall(GET)
    return Responses(s).response()[0]


def is_turned_away(edge):
    try:
        with edge.connect() as s:
            s.sendall(GET)
            return s.recv(1) == b""
    except OSError:
        return True


def states(edge):
    return {a["state"] for o in edge.status()["origins"].values()
            for server in o["servers"] for a in server["addresses"]}


def wait_log(process, words):
    perigee.wait_for(lambda: words in process.log(), f"'{words}' in the log")


@pytest.mark.parametrize("workers", [1, 2])
def test_idle_clients_took_every_descriptor(make_edge, origin, workers):
    """The origin could not be asked any more, the control socket did not answer, and newcomers waited
    without a word."""
    edge = make_edge({"app": f"servers: ['{origin.address}'], {CHECKED}"},
                     inside=allowed(120), workers=workers)
    wait_log(edge, "15000 client connections need ")
    edge.wait_log("and 120 are allowed: only ")
    limits = edge.status()["descriptors"]
    assert limits["allowed"] == 120 < limits["needed"] and 8 <= limits["clients_limit"] < 50
    with contextlib.ExitStack() as idle, edge.connect() as regular:
        # Whoever gives way does so among those of the newcomer's worker, and chance gives this one's
        # as few as it likes: so it asks after each newcomer.
        for _ in range(150):
            idle.enter_context(edge.connect())
            assert get(regular) == 200
        found = edge.status()
        assert found["counters"]["edge_connections_active"] == limits["clients_limit"]
        # What is kept back is there.
        assert found["descriptors"]["used"] < 120 - 20
        assert edge.curl("-f", "-o", "/dev/null", edge.url("/")).returncode == 0
        assert get(regular) == 200
        perigee.wait_for(lambda: edge.counters()["olink_probes_total"] >
                         found["counters"]["olink_probes_total"], "a check of the origin")
    assert states(edge) == {"up"} and "is down" not in edge.log()
    assert "cannot" not in edge.log()
    counters = edge.settled()
    assert counters["olink_failures_total"] == counters["olink_probes_prevented_total"] == 0
    assert counters["edge_responses_5xx_total"] == 0
    edge.wait_counter("edge_connections_active", 0)
    with edge.connect() as s:
        assert get(s) == 200


@pytest.mark.parametrize("workers", [1, 2])
def test_clients_were_let_in_who_could_not_be_served(make_edge, scripted_origin, workers):
    """They had taken the descriptors that connections to the origin would have needed."""
    all_here = threading.Event()

    def answer_together(conn):
        while read_head(conn):
            all_here.wait(perigee.PATIENCE)
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    edge = make_edge({"app": scripted_origin(answer_together).origin()}, inside=allowed(120),
                     workers=workers)
    n = edge.status()["descriptors"]["clients_limit"]
    with contextlib.ExitStack() as busy:
        clients = []
        for _ in range(n):
            clients.append(busy.enter_context(edge.connect()))
            clients[-1].sendall(GET)
        edge.wait_counter("olink_active_connections", n)
        for _ in range(60):
            assert is_turned_away(edge)
        counters = edge.counters()
        assert counters["edge_connections_refused_total"] == 60
        all_here.set()
        assert [Responses(s).response()[0] for s in clients] == [200] * n
    counters = edge.settled()
    assert counters["olink_failures_total"] == counters["olink_shortages_total"] == 0
    # Those that nobody uses any more have their limit too.
    status = edge.status()
    assert status["counters"]["olink_idle_connections"] <= status["descriptors"]["idle_limit"]
    assert "cannot" not in edge.log()
    assert edge.curl("-f", edge.url("/")).stdout == "ok"


def test_clients_that_linger_took_every_descriptor(make_edge, origin):
    """A connection that the edge has ended does not count as one, but keeps its descriptor until the
    client has closed it too, or for some seconds."""
    edge = make_edge({"app": f"servers: ['{origin.address}'], {CHECKED}"}, inside=allowed(120))
    with contextlib.ExitStack() as lingering:
        for _ in range(150):
            s = lingering.enter_context(edge.connect())
            s.sendall(b"GET / HTTP/1.1\r\n\r\n")  # no Host: refused, and closed
            assert Responses(s).head()[0] == 400
        assert edge.status()["descriptors"]["used"] < 120 - 20
        assert edge.curl("-f", "-o", "/dev/null", edge.url("/")).returncode == 0
    assert states(edge) == {"up"}
    assert "cannot" not in edge.log()


def test_shortage_was_the_origins_fault(make_edge, origin, scripted_origin):
    """And a reload or a new log file, for which there was none either, must change nothing."""
    edge = make_edge({"app": f"servers: ['{origin.address}'], {CHECKED}",
                      "other": f"servers: ['{origin.address}', '127.0.0.1:1'], "
                               "health: {enabled: false}, proxy_protocol: v1"},
                     routes={"/": "app", "/other": "other"})
    # Several to `app` are idle then.
    edge.curl("-f", "-Z", "--parallel-immediate", "-o", "/dev/null",
              edge.url("/delay/200") + "?[1-4]")
    with edge.connect() as s:
        with none_left(edge):
            wait_log(edge, "cannot be probed: Too many open files")
            # What is there goes on.
            assert get(s) == 200
            s.sendall(f"GET /other HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            assert Responses(s).response()[0] == 503
            edge.reload()
            wait_log(edge, "reload refused")
            edge.send_signal(perigee.signal.SIGUSR1)
            wait_log(edge, "cannot reopen")
            assert get(s) == 200
            # It waits, and is served when there is one again.
            newcomer = edge.connect_tcp()
            wait_log(edge, "cannot accept client connections: Too many open files")
        with edge.secure(newcomer) as late:
            assert get(late) == 200
        assert get(s) == 200
    ends = [line["end"] for line in edge.access_log(9)]
    assert ends.count("edge-no-descriptors") == 1 and ends.count("done") == 8
    assert states(edge) == {"up", "unknown"} and "is down" not in edge.log()
    status = edge.status()
    assert status["counters"]["olink_probes_prevented_total"] > 0
    assert status["counters"]["olink_probe_failures_total"] == 0
    assert status["counters"]["olink_shortages_total"] == 1
    assert status["counters"]["edge_reload_failures_total"] == 1
    # It is not told of the servers.
    assert all("failure" not in a for server in status["origins"]["other"]["servers"]
               for a in server["addresses"])
    edge.reload()
    edge.wait_counter("edge_reloads_total", 1)


@pytest.fixture
def world(tmp_path):
    w = World(tmp_path)
    yield w
    w.close()


def edges_of(daemon):
    return {e["state"] for e in daemon.status()["edges"].values()}


def blamed(daemon):
    """Edges that were taken for down, but for their IPv6 addresses, which nobody has."""
    return [line for line in daemon.log().splitlines()
            if "is down" in line and " at 2001:db8::" not in line]


def test_tcp_clients_took_every_descriptor_of_dns(world, processes):
    """Each listener lets in 256."""
    daemon = world.start(processes, inside=allowed(100))
    wait_log(daemon, " TCP connections need ")
    limits = daemon.status()["descriptors"]
    assert limits["allowed"] == 100 and limits["clients_limit"] >= 8
    with contextlib.ExitStack() as held:
        for _ in range(150):
            held.enter_context(socket.create_connection(world.address, timeout=perigee.PATIENCE))
        perigee.wait_for(lambda: daemon.counters()["dns_tcp_connections_total"] == 150,
                         "all of them to have been accepted")
        found = daemon.status()
        assert found["counters"]["dns_tcp_open_connections"] <= limits["clients_limit"]
        assert found["descriptors"]["used"] < 100 - 20
        assert answer_data(world.ask("static.example.com")) == ["192.0.2.80"]
        assert answer_data(world.ask("static.example.com", tcp=True)) == ["192.0.2.80"]
        assert "192.0.2.80" in world.kdig("+tcp", "+short", "static.example.com")
    assert edges_of(daemon) == {"up"}
    assert not blamed(daemon) and "Too many open files" not in daemon.log()


def test_shortage_was_the_edges_fault(world, processes):
    daemon = world.start(processes)
    before = answer_data(world.ask("www.example.com"))
    address = world.address
    with contextlib.ExitStack() as left:
        left.enter_context(none_left(daemon))
        wait_log(daemon, "cannot be probed: Too many open files")
        daemon.reload()
        wait_log(daemon, "reload refused")
        with socket.create_connection(address, timeout=perigee.PATIENCE) as late:
            wait_log(daemon, "cannot accept DNS connections: Too many open files")
            www = dns.message.make_query("www.example.com", "A")
            assert answer_data(dns.query.udp(www, address[0], port=address[1],
                                             timeout=perigee.PATIENCE)) == before
            query = dns.message.make_query("static.example.com", "A")
            dns.query.send_tcp(late, query)
            left.close()
            assert answer_data(dns.query.receive_tcp(late)[0]) == ["192.0.2.80"]
    assert edges_of(daemon) == {"up"} and not blamed(daemon)
    assert daemon.counters()["dns_probes_prevented_total"] > 0
    assert answer_data(world.ask("www.example.com")) == before
    daemon.reload()
    wait_log(daemon, "configuration reloaded")


def refusal(program, fleet, node, limit, directory):
    got = subprocess.run([*allowed(limit), program, "--config", fleet, "--node", node, "--control",
                          directory / "refused.sock"], capture_output=True, text=True,
                         timeout=perigee.PATIENCE)
    assert got.returncode == 1
    return got.stderr


def test_too_few_to_run_with(world, processes, make_edge, origin, tmp_path):
    """A daemon that had too few for its own threads broke off in the middle of its start."""
    words = refusal(perigee.DNS, world.fleet, "ns1", 10, tmp_path)
    assert " open files are needed at least, and 10 are allowed: raise LimitNOFILE=" in words
    assert not perigee.SANITIZER.search(words)
    edge = make_edge({"app": f"servers: ['{origin.address}']"})
    words = refusal(perigee.EDGE, edge.fleet, "fra1", 10, tmp_path)
    assert " open files are needed at least, and 10 are allowed: raise LimitNOFILE=" in words
    assert not perigee.SANITIZER.search(words)
