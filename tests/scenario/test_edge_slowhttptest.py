# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge under slowhttptest in its four modes: it is cut off or answered, and holds up no one
else: a bystander on the same worker goes on as if nothing were."""

import shutil
import subprocess

import pytest

import perigee
from edge_fleet import HOST, Edge, Responses

if not shutil.which("slowhttptest"):
    pytest.skip("there is no slowhttptest", allow_module_level=True)

CONNECTIONS = 150
COMMON = ["-c", CONNECTIONS, "-r", CONNECTIONS, "-i", 1, "-l", 100, "-p", 20]

# Its options, the path, and the counters that its connections end in, if it is as slow as it means to be.
MODES = {
    # What it invents as a field is none, at times.
    "slow headers": (["-H"], "/",
                     {"edge_end_client_head_timeout_total", "edge_end_client_malformed_total"}),
    "slow body": (["-B", "-s", 8192, "-x", 10], "/echo",
                  {"edge_end_client_too_slow_total", "edge_end_client_body_timeout_total"}),
    "slow read": (["-X", "-w", 512, "-y", 1024, "-n", 1, "-z", 32], "/bytes/30000000",
                  {"edge_end_client_too_slow_total", "edge_end_client_write_timeout_total"}),
    # Its requests are whole, and the origin's to answer.
    "ranges": (["-R", "-t", "HEAD", "-a", 10, "-b", 3000], "/bytes/10", {"edge_end_done_total"}),
}


@pytest.mark.parametrize("mode", MODES)
def test_holds_up_no_one_else(processes, tmp_path, authority, certificate, origin, mode):
    options, path, ends = MODES[mode]
    edge = Edge(tmp_path, authority, {"www": ([HOST, "localhost"], [certificate], {"/": "app"})},
                {"app": f'servers: ["127.0.0.1:{origin.port}"]'},
                listen="*:0",  # "localhost" may be ::1
                http="timeout: {head: 3s, body: 3s, write: 3s}, per_client: {connections: 0}, "
                     "limit: {min_rate: 1KiB}")
    processes.append(edge)
    attack = subprocess.Popen(
        ["slowhttptest", *map(str, COMMON), *map(str, options), "-u", f"https://localhost:{edge.port}{path}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    try:
        with edge.connect() as s:
            r = Responses(s)
            asked = 0

            def goes_on():
                nonlocal asked
                s.sendall(f"GET /bytes/{asked} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
                status, _, body = r.response()
                assert (status, len(body)) == (200, asked)
                asked += 1
                counters = edge.counters()
                # All of it, by whatever slow machines are slow at; but the bystander's own.
                ended = sum(n for name, n in counters.items() if name.startswith("edge_end_")) - asked
                return ended >= CONNECTIONS and any(counters[name] for name in ends)

            perigee.wait_for(goes_on, "the attack to have been dealt with", timeout=90)
            counters = edge.counters()
            assert counters["edge_connections_total"] > CONNECTIONS
            assert asked > 5
    finally:
        attack.kill()
        attack.wait()
    edge.wait_counter("edge_connections_active", 0)
    edge.wait_counter("olink_active_connections", 0)
