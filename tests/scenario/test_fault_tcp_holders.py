# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-dns over TCP among clients that take more than their share, or ask nothing. Each test is
named after what went wrong once."""

import contextlib
import socket
import struct

import dns.message
import dns.query
import pytest

import perigee
from dns_fleet import World, answer_data
from perigee import wait_for

# Of one listener of one worker: DNS_TCP_CONNECTIONS, and the share of a client.
PLACES, SHARE = 256, 64


@pytest.fixture
def world(tmp_path, processes):
    w = World(tmp_path)
    w.start(processes, args=("--workers", "1"))
    yield w
    w.close()


def framed(message):
    return struct.pack("!H", len(message)) + message


QUERY = dns.message.make_query("static.example.com", "A", id=7)
ASK = framed(QUERY.to_wire())


def connect(world, source="127.0.0.1"):
    return socket.create_connection(world.address, perigee.PATIENCE, (source, 0))


def is_answered(s):
    """Whether a query gets its answer on this connection; False: it has been ended."""
    try:
        dns.query.send_tcp(s, QUERY)
        return answer_data(dns.query.receive_tcp(s)[0]) == ["192.0.2.80"]
    except (EOFError, ConnectionError):
        return False


def is_ended(s):
    """Reads to the end of what the server sends; returns it."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := s.recv(65536):
            data += chunk
    return data


def accepted(world, n):
    wait_for(lambda: world.daemon.counters()["dns_tcp_connections_total"] == n,
             f"{n} connections to have been accepted")


def flood(world, sources, each, stack):
    """Connections that stay open and ask nothing, as long as they are let."""
    for _ in range(each):
        for source in sources:
            stack.enter_context(connect(world, source))


def ask_round(bystanders):
    return [is_answered(s) for s in bystanders]


def test_one_client_took_all_places(world):
    """The others lost their connections to it between two queries."""
    with contextlib.ExitStack() as stack:
        bystanders = [stack.enter_context(connect(world, f"127.0.1.{i}")) for i in range(1, 21)]
        assert ask_round(bystanders) == [True] * 20
        for i in range(1, 4):
            flood(world, ["127.0.0.66"], 150, stack)
            accepted(world, 20 + 150 * i)
            assert ask_round(bystanders) == [True] * 20
            counters = world.daemon.counters()
            assert counters["dns_tcp_open_connections"] == 20 + SHARE
            assert counters["dns_tcp_displaced_total"] == 150 * i - SHARE
    assert counters["dns_queries_tcp_total"] == counters["dns_responses_noerror_total"] == 80
    assert counters["dns_tcp_timed_out_total"] == counters["dns_tcp_malformed_total"] == 0


def test_many_that_flood_took_all_places(world):
    """Whoever has few connections keeps them; newcomers find a place; who floods keeps what is left,
    and those of its connections that it has used last."""
    sources = [f"127.0.0.{i}" for i in range(61, 69)]
    with contextlib.ExitStack() as stack:
        bystanders = [stack.enter_context(connect(world, f"127.0.1.{i}")) for i in range(1, 21)]
        flood(world, sources, SHARE, stack)
        accepted(world, 20 + 8 * SHARE)
        counters = world.daemon.counters()
        assert counters["dns_tcp_open_connections"] == PLACES
        assert counters["dns_tcp_displaced_total"] == 20 + 8 * SHARE - PLACES
        late = [stack.enter_context(connect(world, f"127.0.2.{i}")) for i in range(1, 21)]
        flood(world, sources, 1, stack)
        assert ask_round(bystanders + late) == [True] * 40
        # Eight share 216 places: each has 27 of its 65 connections.
        assert is_answered(stack.enter_context(connect(world, sources[0])))
        counters = world.daemon.counters()
    assert counters["dns_tcp_open_connections"] == PLACES
    assert counters["dns_responses_noerror_total"] == counters["dns_queries_tcp_total"] == 41
    assert counters["dns_tcp_connections_total"] == 20 + 8 * SHARE + 20 + 8 + 1
    assert (counters["dns_tcp_displaced_total"]
            == counters["dns_tcp_connections_total"] - counters["dns_tcp_open_connections"])


def test_used_connection_gave_way_before_a_quiet_one(world):
    """Among a client's own, the one that was answered last stays."""
    with contextlib.ExitStack() as stack:
        own = [stack.enter_context(connect(world)) for _ in range(SHARE)]
        accepted(world, SHARE)
        assert is_answered(own[0])
        stack.enter_context(connect(world))
        accepted(world, SHARE + 1)
        assert is_answered(own[0])
        assert is_ended(own[1]) == b""
        assert all(ask_round(own[2:]))


@pytest.mark.parametrize("octets", [0, 1, 11])
def test_empty_messages_kept_a_connection(world, octets):
    """What is shorter than a header ends it, behind what was answered before."""
    with connect(world) as s:
        assert is_answered(s)
        s.sendall(framed(b"\0" * octets))
        assert is_ended(s) == b""
    with connect(world) as s:
        # Its length is enough to know.
        s.sendall(ASK + framed(b"\0" * octets)[:2])
        assert answer_data(dns.message.from_wire(is_ended(s)[2:])) == ["192.0.2.80"]
    counters = world.daemon.counters()
    assert counters["dns_tcp_malformed_total"] == 2
    assert counters["dns_queries_tcp_total"] == counters["dns_responses_noerror_total"] == 2
    assert counters["dns_tcp_open_connections"] == 0


def test_responses_kept_a_connection(world):
    """They are met with silence."""
    response = dns.message.make_response(QUERY).to_wire()
    with connect(world) as s:
        s.sendall(ASK + framed(response) + ASK)
        assert answer_data(dns.message.from_wire(is_ended(s)[2:])) == ["192.0.2.80"]
    counters = world.daemon.counters()
    assert counters["dns_tcp_malformed_total"] == counters["dns_dropped_total"] == 1
    assert counters["dns_responses_noerror_total"] == 1


def test_message_that_never_ends_kept_a_connection(world):
    """Its octets come one by one, and each is no sign of life."""
    long = framed(QUERY.to_wire() + b"\0" * 5000)
    with connect(world) as s, connect(world) as other:
        assert is_answered(s)
        s.settimeout(0.1)
        for octet in long:
            try:
                s.sendall(bytes([octet]))
                assert s.recv(1) == b""
                break
            except TimeoutError:
                # The others are served meanwhile.
                assert is_answered(other)
            except ConnectionError:
                break
        else:
            pytest.fail("it was kept")
        assert is_answered(other)
    world.daemon.wait_log("tcp .* ends: its message did not end")
    assert world.daemon.counters()["dns_tcp_timed_out_total"] == 1


def test_slow_query_is_answered(world):
    """And so is the one after it."""
    with connect(world) as s:
        for _ in range(2):
            for octet in ASK:
                s.sendall(bytes([octet]))
            assert answer_data(dns.query.receive_tcp(s)[0]) == ["192.0.2.80"]
    assert world.daemon.counters()["dns_tcp_timed_out_total"] == 0
