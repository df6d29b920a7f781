# SPDX-License-Identifier: GPL-3.0-or-later
"""What perigee-dns owes when it ends, and what the kernel drops before it is read. Each test is named
after what went wrong once."""

import contextlib
import signal
import socket
import struct

import dns.message
import pytest

import perigee
from dns_fleet import World, answer_data
from perigee import wait_for

QUERY = dns.message.make_query("static.example.com", "A", id=7).to_wire()
ASK = struct.pack("!H", len(QUERY)) + QUERY


@pytest.fixture
def world(tmp_path, processes):
    w = World(tmp_path)
    w.start(processes)
    w.here = w.address  # it cannot be asked while it is held
    yield w
    w.close()


def connect(world):
    return socket.create_connection(world.here, perigee.PATIENCE)


def responses(stream):
    """How many right ones come before the end."""
    n = 0
    while head := stream.read(2):
        response = dns.message.from_wire(stream.read(*struct.unpack("!H", head)))
        assert answer_data(response) == ["192.0.2.80"]
        n += 1
    return n


def test_pipelined_queries_were_cut(world):
    """What the server had received when it was told to stop is answered: on connections that it knew,
    on those that it had not accepted yet, and over UDP."""
    with connect(world) as known, connect(world) as quiet, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        known.sendall(ASK)
        assert len(known.recv(65536)) > 2
        datagrams.connect(world.here)
        datagrams.settimeout(perigee.PATIENCE)
        world.daemon.send_signal(signal.SIGSTOP)
        # More than is answered in a turn, and the beginning of one more.
        known.sendall(ASK * 1000 + ASK[:20])
        newcomers = [connect(world) for _ in range(10)]
        for s in newcomers:
            s.sendall(ASK * 10)
        for _ in range(200):
            datagrams.send(QUERY)
        world.daemon.send_signal(signal.SIGTERM)
        world.daemon.send_signal(signal.SIGCONT)
        assert responses(known.makefile("rb")) == 1000
        for s in newcomers:
            with s:
                assert responses(s.makefile("rb")) == 10
        for _ in range(200):
            assert answer_data(dns.message.from_wire(datagrams.recv(65536))) == ["192.0.2.80"]
        assert quiet.recv(1) == b""
        world.daemon.wait()
        world.daemon.stop()
    assert "has had its time" not in world.daemon.log()


def test_client_that_does_not_read_held_the_end(world):
    """It is bounded in time, and the others have their answers."""
    with connect(world) as stuck, connect(world) as good:
        stuck.setblocking(False)

        seen = []

        def is_stuck():
            with contextlib.suppress(BlockingIOError):
                while stuck.send(ASK * 1000):
                    seen.clear()
            seen.append(world.daemon.counters()["dns_queries_tcp_total"])
            return len(seen) > 20 and seen[-1] == seen[-20]

        wait_for(is_stuck, "the server to wait for the client")
        world.daemon.send_signal(signal.SIGSTOP)
        good.sendall(ASK * 100)
        world.daemon.send_signal(signal.SIGTERM)
        world.daemon.send_signal(signal.SIGCONT)
        assert responses(good.makefile("rb")) == 100
        world.daemon.wait()
        world.daemon.stop()
    assert "what was under way has had its time" in world.daemon.log()


def test_drops_of_the_kernel_were_not_counted(world):
    """Of so many that nobody reads, the buffer holds a part."""
    n = 20000
    world.daemon.send_signal(signal.SIGSTOP)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(world.here)
        for _ in range(n):
            s.send(QUERY)
        world.daemon.send_signal(signal.SIGCONT)

        def all_found():
            counters = world.daemon.counters()
            queries = counters["dns_queries_udp_total"]
            return queries + counters["dns_receive_drops_total"] == n and counters

        counters = wait_for(all_found, "each datagram to have been answered or counted as dropped")
        assert counters["dns_receive_drops_total"] > 0 and counters["dns_queries_udp_total"] > 100
        # It stays, also when nothing more is dropped.
        s.send(QUERY)
        wait_for(lambda: world.daemon.counters()["dns_queries_udp_total"]
                 == counters["dns_queries_udp_total"] + 1, "one more")
    assert (world.daemon.counters()["dns_receive_drops_total"]
            == counters["dns_receive_drops_total"])
