# SPDX-License-Identifier: GPL-3.0-or-later
"""A reload with a large database held the control loop for seconds: checks came too late, and healthy
edges were down. Each test is named after what went wrong once."""

import collections
import itertools
import os
import re
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

import perigee
from dns_fleet import World
from perigee import wait_for

SOURCE = Path(os.environ.get("PERIGEE_SRC", "."))
EDGES = 300
INTERVAL = 0.25
NETWORKS = "100000", "10000"


class Listener:
    """All edges at once: any loopback address, one port. Notes how often each was asked."""

    def __init__(self):
        self.socket = socket.create_server(("0.0.0.0", 0), backlog=1024)
        self.port = self.socket.getsockname()[1]
        self.asked = collections.Counter()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.asked[connection.getsockname()[0]] += 1
            connection.close()

    def stop(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()


@pytest.fixture
def world(tmp_path):
    database = tmp_path / "city.mmdb"
    made = subprocess.run(["perl", SOURCE / "tests/bench/city_database.pl", database, *NETWORKS],
                          capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no database: {made.stderr.splitlines()[:1]}")
    w = World(tmp_path)
    w.listener = Listener()
    edges = "".join(
        f"  e{i}: {{location: '{i * 7 % 120 - 60}, {i * 13 % 360 - 180}', "
        f"addresses: [127.1.{i // 200}.{i % 200 + 1}], check: {{kind: tcp, port: {w.listener.port}, "
        f"interval: {int(INTERVAL * 1000)}ms, timeout: {int(INTERVAL * 1000)}ms, fall: 2}}}}\n"
        for i in range(EDGES))
    w.write_fleet(geo=database)
    text = w.fleet.read_text()
    start, end = text.index("edges:\n"), text.index("nameservers:\n")
    w.fleet.write_text(text[:start].replace("debug", "info") + "edges:\n" + edges + text[end:])
    yield w
    w.listener.stop()
    w.close()


def test_reload_of_a_large_database_made_healthy_edges_down(world, processes):
    daemon = world.start(processes)
    text = world.fleet.read_text()
    wait_for(lambda: len(world.listener.asked) == EDGES, "all of them to be asked")
    for i in 1, 2:
        # Nothing that was computed before is of use.
        world.fleet.write_text(text.replace("e0: {location: '-60", f"e0: {{location: '{i}")
                               .replace("geo: {", f"geo: {{unknown: '{i}, {i}', "))
        asked, answered = world.listener.asked.total(), [time.monotonic()]
        daemon.reload()
        while daemon.log().count("configuration reloaded") < i:
            perigee.control(daemon.control_path, "log")
            answered.append(time.monotonic())
        # It went on checking, and was answered all the time: that no part of a reload is most of
        # the control loop's is true of any machine.
        assert world.listener.asked.total() > asked
        gaps = [after - before for before, after in itertools.pairwise(answered)]
        assert max(gaps) < sum(gaps) / 2
    assert {edge["state"] for edge in daemon.status()["edges"].values()} == {"up"}
    assert not re.search("is down|cannot be probed", daemon.log())
    assert daemon.counters()["dns_verdicts_stale_total"] == 0
