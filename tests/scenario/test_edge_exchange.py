# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: what goes on in an exchange: tunnels, deadlines of both directions, the listeners
without TLS. Raw clients without TLS, so that each side can end by itself."""

import json
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
                    f"plain: {plain}, {http}", listen_plain=["127.0.0.1:0"])
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
        assert Responses(s).head()[0] == 308
        ask(s, "")
    with connect(edge) as s:
        ask(s, f"GET /.well-known/acme-challenge/aB3-_x HTTP/1.1\r\n{H}\r\n")
        assert Responses(s).head()[0] == 200
