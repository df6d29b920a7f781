# SPDX-License-Identifier: GPL-3.0-or-later
"""Signals that come too early, twice, or at a bad time; and who kept a program from ending. Each
test is named after what went wrong once."""

import os
import signal
import socket
import time
from pathlib import Path

import pytest

import perigee
from edge_fleet import HOST, Responses, read_to_end

# Nobody is waited for: what has no limit of its own would show by the test's patience, the one
# thing that has (a stream that lingers, for 5 s) by this.
AT_ONCE = 4

# Long, so that none of them is what ends a program.
PATIENT = "timeout: {handshake: 1h, keep_alive: 1h, head: 1h, shutdown: 1h}"

DNS_FLEET = """\
nameservers:
  ns1: {listen: ["127.0.0.1:0"], workers: 1}
zones:
  example.com: {file: ZONE}
"""
ZONE = "$TTL 60\n@ SOA ns1 hostmaster 1 60 60 60 60\n@ NS ns1\nns1 A 192.0.2.1\n"


class Program:
    """How to start one, again and again; the origin of the edge need not be there."""

    def __init__(self, kind, directory, certificate):
        self.kind, self.directory = kind, directory
        self.fleet = directory / "perigee.yaml"
        self.node = "fra1" if kind == "edge" else "ns1"
        self.binary = perigee.EDGE if kind == "edge" else perigee.DNS
        if kind == "edge":
            self.text = (
                'edges:\n  fra1: {location: "50.11,8.68", listen: ["127.0.0.1:0"], workers: 2}\n'
                f"http: {{{PATIENT}}}\n"
                'origins: {app: {servers: ["127.0.0.1:1"], health: {enabled: false}}}\n'
                f"sites: {{www: {{hosts: [{HOST}], certificates: [{{certificate: {certificate[0]}, "
                f"key: {certificate[1]}}}], routes: [{{path: /, origin: app}}]}}}}\n")
        else:
            (directory / "zone").write_text(ZONE)
            self.text = DNS_FLEET.replace("ZONE", str(directory / "zone"))
        self.fleet.write_text(self.text)

    def start(self, wait=True):
        return perigee.Daemon(self.binary, self.fleet, self.node, self.directory, wait=wait)


@pytest.fixture(params=["edge", "dns"])
def program(request, tmp_path, certificate):
    return Program(request.param, tmp_path, certificate)


def blocks(pid, number):
    """Whether the main thread has begun: before, a signal means to it what it means to anybody."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigBlk:"):
            return bool(int(line.split()[1], 16) & 1 << (number - 1))
    return False


def began(daemon):
    perigee.wait_for(lambda: blocks(daemon.pid, signal.SIGHUP), "the program to block signals")


def lock_path(daemon):
    return Path(f"{daemon.control_path}.lock")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_second_term_crashed(program, number):
    """It came when the program was being taken apart."""
    for delay_ms in (0, 0.2, 0.5, 1, 2, 3, 5, 10, 20):
        daemon = program.start()
        daemon.send_signal(signal.SIGTERM)
        # That is how far apart they are.
        time.sleep(delay_ms / 1000)
        try:
            daemon.send_signal(number)
            daemon.send_signal(signal.SIGHUP)
            daemon.send_signal(signal.SIGUSR1)
        except ProcessLookupError:
            pass
        daemon.stop()
        assert not daemon.control_path.exists() and not lock_path(daemon).exists()


def test_hup_at_the_start_killed(program):
    """It came before anybody looked for it. It is a reload, after the start."""
    for delay_ms in (0, 1, 2, 5, 10, 15, 30):
        daemon = program.start(wait=False)
        began(daemon)
        time.sleep(delay_ms / 1000)
        daemon.reload()
        daemon.wait_serving()
        perigee.wait_for(lambda: daemon.status().get("last_reload"), "the reload")
        assert daemon.status()["last_reload"]["result"] == "ok"
        assert daemon.counters()[f"{program.kind}_reloads_total"] == 1
        daemon.stop()


def test_term_at_the_start(program):
    for delay_ms in (0, 1, 2, 5, 10, 15, 30):
        daemon = program.start(wait=False)
        began(daemon)
        time.sleep(delay_ms / 1000)
        daemon.stop()
        assert not daemon.control_path.exists() and not lock_path(daemon).exists()


def make_load_long(program):
    """By a real file, of far more than can be read in an instant."""
    more = program.directory / "more.yaml"
    with open(more, "w") as f:
        f.write("origins:\n")
        for i in range(60000):
            f.write(f"  o{i}:\n    servers: [10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4]\n"
                    "    timeout: {connect: 3s, response: 30s, idle: 30s, queue: 5s}\n")
    program.fleet.write_text(f"include: {more}\n{program.text}")


def ends_at_once(daemon):
    start = time.monotonic()
    daemon.stop()
    assert time.monotonic() - start < AT_ONCE


def test_stop_waited_for_a_load(program):
    quick = program.start()
    make_load_long(program)
    quick.reload()
    perigee.wait_for(lambda: "reload: reading" in quick.log(), "the load to begin")
    ends_at_once(quick)
    assert "configuration reloaded" not in quick.log()
    assert "cut off" not in quick.log()

    starting = program.start(wait=False)
    began(starting)
    # It has the file, and is at it.
    perigee.wait_for(lambda: len(os.listdir(f"/proc/{starting.pid}/task")) > 1, "the thread of jobs")
    ends_at_once(starting)
    assert "serving" not in starting.log() and not starting.control_path.exists()


def test_stop_waited_for_the_first_word_of_origins(make_edge, scripted_origin):
    """As with name servers and their edges: test_dns.py."""
    def nothing(conn):
        conn.recv(1 << 16)
        conn.recv(1)

    origin = scripted_origin(nothing)
    edge = make_edge({"app": origin.origin()}, http=PATIENT)
    text = edge.fleet.read_text()
    assert edge.stop() == 0
    edge.fleet.write_text(text.replace(
        "health: {enabled: false}", "health: {check: {kind: http, interval: 1h, timeout: 1h}}"))
    again = perigee.Daemon(perigee.EDGE, edge.fleet, "fra1", edge.directory, wait=False)
    perigee.wait_for(lambda: again._status_or_none(), "the control socket")
    assert again.status()["state"] == "starting"
    ends_at_once(again)


def hello_without_its_end(edge):
    s = edge.connect_tcp()
    s.sendall(bytes.fromhex("1603010200010001fc0303"))
    return s


def hello_and_no_more(edge):
    """A whole one, whose answer is then not answered."""
    import ssl
    s = edge.connect_tcp()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = edge.client_context().wrap_bio(incoming, outgoing, server_hostname=HOST)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    s.sendall(outgoing.read())
    return s


def idle(edge):
    s = edge.connect()
    s.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    assert Responses(s).response()[0] == 200
    return s


@pytest.mark.parametrize("client", [lambda edge: edge.connect_tcp(), hello_without_its_end,
                                    hello_and_no_more, lambda edge: edge.connect(), idle],
                         ids=["silent", "half a hello", "no handshake", "no request", "keep-alive"])
def test_stop_waited_for_who_wants_nothing(make_edge, origin, client):
    """The edge closed its side, and waited for the client's end for 5 s; or for a handshake, for
    10."""
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"]'}, http=PATIENT)
    with client(edge):
        edge.wait_counter("edge_connections_active", 1)
        edge.wait_counter("edge_requests_active", 0)
        ends_at_once(edge)


def test_stop_waits_for_what_is_under_way(make_edge, scripted_origin):
    """Both for the response and until it was taken, whatever the others do."""
    size = 4 << 20

    def script(conn):
        while b"\r\n\r\n" not in conn.recv(1 << 16):
            pass
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        conn.sendall(b"x" * size)

    edge = make_edge({"app": scripted_origin(script).origin()}, http=PATIENT)
    with edge.connect_tcp(), edge.connect() as other, edge.connect() as s:
        s.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        edge.wait_counter("edge_requests_active", 1)
        edge.send_signal(signal.SIGTERM)
        assert read_to_end(other) == (b"", True)
        assert edge.status()["state"] == "stopping"
        r = Responses(s)
        status, _, body = r.response()
        assert status == 200 and len(body) == size and r.at_end()
        edge.stop()


def test_name_server_ends_with_open_connections(tmp_path, certificate):
    daemon = Program("dns", tmp_path, certificate).start()
    port = daemon.addresses()[0][1]
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    clients[0].sendall(b"\x00")
    perigee.wait_for(lambda: daemon.counters()["dns_tcp_open_connections"] == 20, "the connections")
    ends_at_once(daemon)
    for c in clients:
        c.close()
