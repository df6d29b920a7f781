# SPDX-License-Identifier: GPL-3.0-or-later
"""The same node started a second time: it took a share of the clients before it failed."""

import signal
import socket
import subprocess

import dns.message
import dns.query
import pytest

import perigee
from edge_fleet import HOST

ZONE = "$TTL 60\n@ SOA ns1 hostmaster 1 60 60 60 60\n@ NS ns1\nns1 A 192.0.2.1\n"


class EdgeNode:
    program, node = perigee.EDGE, "fra1"

    def __init__(self, make_edge, origin):
        self.first = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"]'})
        self.fleet, self.directory = self.first.fleet, self.first.directory
        self.served = 0

    def serve(self):
        assert self.first.curl("-f", self.first.url("/")).returncode == 0
        self.served += 1

    def check_first_did_it_all(self):
        c = self.first.settled()
        assert c["edge_requests_total"] == c["edge_end_done_total"] == self.served
        lines = self.first.access_log(self.served)
        assert len(lines) == self.served and all(line["status"] == 200 for line in lines)


class DnsNode:
    program, node = perigee.DNS, "ns1"

    def __init__(self, processes, tmp_path):
        self.directory, self.fleet = tmp_path, tmp_path / "perigee.yaml"
        (tmp_path / "zone").write_text(ZONE)
        self.fleet.write_text('nameservers: {ns1: {listen: ["127.0.0.1:0"], workers: 1}}\n'
                              f"zones: {{example.com: {{file: {tmp_path}/zone}}}}\n")
        self.first = perigee.Daemon(self.program, self.fleet, self.node, tmp_path)
        processes.append(self.first)
        self.port = self.first.addresses()[0][1]
        self.served = 0

    def serve(self):
        query = dns.message.make_query("ns1.example.com", "A")
        for ask in (dns.query.udp, dns.query.tcp):
            assert ask(query, "127.0.0.1", port=self.port, timeout=perigee.PATIENCE).answer
        self.served += 1

    def check_first_did_it_all(self):
        c = self.first.counters()
        assert c["dns_queries_udp_total"] == c["dns_queries_tcp_total"] == self.served


@pytest.fixture(params=["edge", "dns"])
def running(request, processes, tmp_path):
    """A node that runs, on an address which its file then names."""
    if request.param == "edge":
        node = EdgeNode(request.getfixturevalue("make_edge"), request.getfixturevalue("origin"))
    else:
        node = DnsNode(processes, tmp_path)
    port = node.first.addresses()[0][1]
    node.fleet.write_text(node.fleet.read_text().replace("127.0.0.1:0", f"127.0.0.1:{port}"))
    return node


def command(node, control):
    return [str(a) for a in (node.program, "-c", node.fleet, "-n", node.node, "--control", control)]


def run_second(node, control):
    return subprocess.run(command(node, control), capture_output=True, text=True,
                          timeout=perigee.PATIENCE, check=False)


def test_second_start_took_clients_of_the_first(running):
    lock = running.first.control_path.with_name(running.first.control_path.name + ".lock")
    for _ in range(5):
        got = run_second(running, running.first.control_path)
        assert got.returncode == 1, got.stderr
        assert f"already running: process {running.first.pid} holds {lock}" in got.stderr
        assert "serving" not in got.stderr
        running.serve()
    # The socket is still the first one's.
    assert running.first.status()["state"] == "serving"
    running.check_first_did_it_all()


@pytest.mark.parametrize("control", ["", "elsewhere"])
def test_address_was_shared_with_who_has_another_control_socket(running, control):
    """Without a common lock it is the address that tells."""
    control = str(running.directory / control) if control else ""
    port = running.first.addresses()[0][1]
    for _ in range(5):
        got = run_second(running, control)
        assert got.returncode == 1
        assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in got.stderr
        running.serve()
    running.check_first_did_it_all()
    assert not list(running.directory.glob("elsewhere*"))


def test_two_starts_at_the_same_moment(running):
    """One of them serves, the others fail."""
    running.first.stop()
    control = running.first.control_path
    started = [subprocess.Popen(command(running, control), stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True) for _ in range(6)]
    try:
        def one_is_left():
            return [s for s in started if s.poll() is None] if sum(
                s.poll() is None for s in started) == 1 else None

        winner = perigee.wait_for(one_is_left, "all but one to end")[0]
        perigee.wait_for(lambda: perigee.control(control, "status")["state"] == "serving",
                         "the one that is left to serve")
        winner.send_signal(signal.SIGTERM)
        for s in started:
            said = s.communicate(timeout=perigee.PATIENCE)[0]
            assert s.returncode == (0 if s is winner else 1)
            assert ("already running" in said) == (s is not winner)
    finally:
        for s in started:
            if s.poll() is None:
                s.kill()
                s.communicate()
    assert not control.exists()


def test_what_a_dead_process_left_is_taken_over(running, processes):
    running.first.send_signal(signal.SIGKILL)
    running.first.wait()
    assert running.first.control_path.exists()
    again = perigee.Daemon(running.program, running.fleet, running.node, running.directory)
    processes.append(again)
    assert again.status()["state"] == "serving"


def test_all_that_is_wrong_is_said_at_once(make_edge, tmp_path):
    """And nothing is left behind."""
    edge = make_edge({"app": 'servers: ["127.0.0.1:1"], health: {enabled: false}'}, plain=True)
    edge.stop()
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        taken = [s.getsockname()[1] for s in (one, two)]
        text = edge.fleet.read_text()
        for port in taken:
            text = text.replace("127.0.0.1:0", f"127.0.0.1:{port}", 1)
        edge.fleet.write_text(text.replace(str(edge.access_log_path), "/nowhere/access.log"))
        got = subprocess.run(
            [str(a) for a in (perigee.EDGE, "-c", edge.fleet, "-n", "fra1", "--control",
                              tmp_path / "c")],
            capture_output=True, text=True, timeout=perigee.PATIENCE, check=False)
    assert got.returncode == 1
    for port in taken:
        assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in got.stderr
    assert "access log: " in got.stderr and HOST not in got.stderr
    assert not list(tmp_path.glob("c*.lock")) and not (tmp_path / "c").exists()
