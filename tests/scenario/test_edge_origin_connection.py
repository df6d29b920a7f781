# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: what TCP connections to origins have, as their servers and the kernel see it."""

import subprocess
import threading

import perigee
from edge_fleet import HOST, Responses, read_head

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def get(edge, path="/"):
    with edge.connect() as s:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        return Responses(s).response()[0]


class Seen:
    """A script that answers, and notes where each path was asked for from."""

    def __init__(self):
        self.lock = threading.Lock()
        self.sources = {}

    def __call__(self, conn):
        while head := read_head(conn):
            path = head.split()[1].decode()
            with self.lock:
                self.sources.setdefault(path, set()).add(conn.getpeername()[0])
            conn.sendall(ANSWER)


def test_source_of_requests_and_of_checks(make_edge, scripted_origin):
    """Of all that edges of the fleet have, it takes the one that it has; also ahead of need."""
    seen = Seen()
    origin = scripted_origin(seen)
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"], pool: {{warm: 3}}, '
                      "health: {check: {path: /check, interval: 1s, timeout: 1s}}, "
                      'connection: {source: [192.0.2.77, "2001:db8::77", 127.0.0.9, 127.0.0.8]}'})
    assert get(edge) == 200
    perigee.wait_for(lambda: "/check" in seen.sources, "a check")
    assert seen.sources == {"/": {"127.0.0.9"}, "/check": {"127.0.0.9"}}
    assert "no IPv6 address that is a source" in edge.log()


def test_options_of_sockets_are_the_kernels(make_edge, scripted_origin):
    origin = scripted_origin(Seen())
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"], health: off, '
                      "connection: {keep_alive: {idle: 500s}, mss: 1000, congestion_control: reno}"})
    assert get(edge) == 200
    shown = subprocess.run(["ss", "-Htnoi", "dst", f"127.0.0.1:{origin.port}"], check=True,
                           capture_output=True, text=True).stdout
    assert " reno " in shown and "timer:(keepalive,8min" in shown
    assert " mss:988 " in shown or " mss:1000 " in shown
