# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that are there and do not take connections, beside others that do: a request waits for a
quarter of a second, and the next ones do not."""

import contextlib
import socket

import pytest

import perigee
from edge_fleet import HOST, Responses, ScriptedOrigin, read_head


@contextlib.contextmanager
def black_hole(address, port):
    """Takes part in no handshake: as many wait there as may, and the kernel drops the rest."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(0)
        for _ in range(4):
            s = stack.enter_context(socket.socket(family))
            s.setblocking(False)
            s.connect_ex((address, port))
        yield


def answer(conn):
    while read_head(conn):
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


@pytest.fixture
def server():
    server = ScriptedOrigin(answer, address="127.0.0.3")
    yield server
    server.close()


def ask(edge, n):
    with edge.connect() as s:
        responses = Responses(s)
        for _ in range(n):
            s.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            assert responses.response()[0] == 200


@pytest.mark.parametrize("address", ["127.0.0.2", "::1"])
def test_each_request_waited_for_a_black_hole(make_edge, server, address):
    """With a time of 20 s to connect, of which each server had its share."""
    shown = f"[{address}]" if ":" in address else address
    with black_hole(address, server.port):
        edge = make_edge({"app": f"servers: ['{shown}:{server.port}', '127.0.0.3:{server.port}'], "
                                 "health: {enabled: false}, timeout: {connect: 20s}, "
                                 "balance: {method: round-robin}"})
        ask(edge, 20)
    counters = edge.settled()
    assert counters["olink_races_total"] == counters["olink_races_won_total"] == 1
    assert counters["olink_connect_failures_total"] == counters["olink_failures_total"] == 0
    slow, = (line for line in edge.access_log(20) if line.get("tries"))
    assert slow["server"] == f"127.0.0.3:{server.port}"


def test_rival_that_fails_leaves_the_first_alone(make_edge, server):
    """Two black holes and one that refuses: the fourth is found, one after the other."""
    with black_hole("127.0.0.2", server.port), black_hole("127.0.0.4", server.port):
        edge = make_edge({"app": "servers: [{address: '127.0.0.2:%d'}, {address: '127.0.0.4:%d', "
                                 "priority: 1}, {address: '127.0.0.5:%d', priority: 2}, "
                                 "{address: '127.0.0.3:%d', priority: 3}], "
                                 "health: {enabled: false}, timeout: {connect: 3s}"
                                 % ((server.port,) * 4)})
        ask(edge, 1)
    counters = edge.settled()
    assert counters["olink_races_won_total"] <= counters["olink_races_total"]
    assert counters["olink_failures_total"] == 0


def test_all_are_black_holes(make_edge, server):
    """Both are given up in their time, and the client is told."""
    with black_hole("127.0.0.2", server.port), black_hole("127.0.0.4", server.port):
        edge = make_edge({"app": f"servers: ['127.0.0.2:{server.port}', '127.0.0.4:{server.port}'], "
                                 "health: {enabled: false}, timeout: {connect: 1s}"})
        status = edge.curl("-o", "/dev/null", "-w", "%{http_code}", edge.url("/")).stdout
    assert status == "504"
    counters = edge.settled()
    assert counters["olink_races_total"] == 1 and counters["olink_races_won_total"] == 0
    perigee.wait_for(lambda: edge.counters()["olink_active_connections"] == 0, "no connection")
