# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines without IPv6. Each test is named after what went wrong once."""

import ctypes
import sys

import dns.message
import dns.query
import pytest

import perigee
from dns_fleet import FRANKFURT, World, answer_data

WITHOUT = (sys.executable, perigee.SOURCE / "tests" / "support" / "no_ipv6.py")


@pytest.fixture(autouse=True)
def seccomp():
    try:
        ctypes.CDLL("libseccomp.so.2")
    except OSError:
        pytest.skip("libseccomp is not installed")


def told_once(daemon):
    return daemon.log().count("there is no IPv6 here: *:")


def test_dns_did_not_start_on_all_addresses(tmp_path, processes):
    world = World(tmp_path)
    try:
        world.write_fleet(listen="*:0")
        daemon = world.start(processes, inside=WITHOUT)
        ((host, port),) = daemon.addresses()
        assert host == "0.0.0.0"
        query = dns.message.make_query("static.example.com", "A")
        for asked in ("127.0.0.1", "127.0.0.77"):
            for ask in (dns.query.udp, dns.query.tcp):
                response = ask(query, asked, port=port, timeout=perigee.PATIENCE)
                assert answer_data(response) == ["192.0.2.80"]
        daemon.wait_log("there is no IPv6 here")
        assert told_once(daemon) == 1
        daemon.stop()
    finally:
        world.close()


def test_dead_edges_were_answered_for_ipv6(tmp_path, processes):
    """It cannot judge such addresses: those of IPv4 tell of both, and it waits for nothing else."""
    world = World(tmp_path)
    try:
        world.servers["fra1"].stop()
        daemon = world.start(processes, inside=WITHOUT)
        daemon.wait_log("edge fra1 at 2001:db8::1 cannot be probed from here")
        assert "not all health checks" not in daemon.log()
        assert world.addresses_of("www.example.com", FRANKFURT) == ["127.0.0.12"]
        answer = world.ask("www.example.com", "AAAA", subnet=FRANKFURT)
        assert answer_data(answer, "AAAA") == ["2001:db8::2"]
        assert answer.answer[0].ttl == 30
        found = daemon.status()["edges"]["nyc1"]["addresses"]["2001:db8::2"]
        assert (found["state"], found["cause"]) == ("unknown", "no-route")
    finally:
        world.close()


def test_edge_did_not_start_on_all_addresses(make_edge, origin):
    edge = make_edge({"app": f"servers: ['{origin.address}']"}, listen="*:0", inside=WITHOUT)
    assert edge.addresses()[0][0] == "0.0.0.0"
    assert edge.curl("-f", "-o", "/dev/null", edge.url("/")).returncode == 0
    edge.wait_log("there is no IPv6 here")
    assert told_once(edge) == 1


def test_an_address_of_ipv6_is_still_an_error(tmp_path, processes):
    world = World(tmp_path)
    try:
        world.write_fleet(listen="[::1]:0")
        daemon = world.start(processes, wait=False, inside=WITHOUT)
        daemon.wait()
        daemon.stop(expect=1)
        assert "cannot listen on [::1]:0: Address family not supported by protocol" in daemon.log()
    finally:
        world.close()
