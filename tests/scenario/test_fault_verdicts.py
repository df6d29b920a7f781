# SPDX-License-Identifier: GPL-3.0-or-later
"""A reload that changes how often or how something is checked forgot what the checks had found; and
what went for one address went for the whole edge. Each test is named after what went wrong once."""

import os
import threading

import pytest

import perigee
from dns_fleet import FRANKFURT, NEW_YORK, World
from edge_fleet import HOST, read_head
from perigee import wait_for

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
ILL = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno"


class Server:
    """Its first checks it answers; those that come after .hush() wait for the test's end."""

    def __init__(self, make, answer):
        self.answer, self.quiet, self.go = answer, threading.Event(), threading.Event()
        self.pages, self.checks_held = 0, 0
        self.port = make(self.serve).port

    def serve(self, conn):
        while head := read_head(conn):
            method, path = head.split(b" ")[:2]
            if path == b"/page":
                self.pages += 1
            elif self.quiet.is_set():
                self.checks_held += 1
                self.go.wait(perigee.PATIENCE)
            conn.sendall(self.answer if method == b"GET" else self.answer[:-2])


def test_known_down_server_got_requests_after_a_reload(make_edge, scripted_origin, certificate):
    well, ill = Server(scripted_origin, OK), Server(scripted_origin, ILL)

    def origins(interval):
        return {"app": f"servers: ['127.0.0.1:{well.port}', '127.0.0.1:{ill.port}'], health: "
                       f"{{check: {{path: /health, interval: {interval}, timeout: 1h}}}}"}

    def states():
        return [s["addresses"][0]["state"] for s in edge.status()["origins"]["app"]["servers"]]

    edge = make_edge(origins("1h"))
    wait_for(lambda: states() == ["up", "down"], "the first checks")
    for server in well, ill:
        server.quiet.set()
    edge.write({"www": ([HOST], [certificate], {"/": "app"})}, origins("2h"))
    edge.reload()
    wait_for(lambda: edge.status().get("last_reload", {}).get("result") == "ok", "the reload")
    wait_for(lambda: well.checks_held and ill.checks_held, "the new checks to be under way")
    for _ in range(6):
        assert edge.curl("-f", edge.url("/page")).stdout == "ok"
    assert states() == ["up", "down"]
    assert (well.pages, ill.pages) == (6, 0)
    for server in well, ill:
        server.go.set()


@pytest.fixture
def world(tmp_path):
    w = World(tmp_path, ("http", "http", "tcp"))
    yield w
    w.close()


@pytest.mark.parametrize("change", [("interval: 1h", "interval: 2h"), ("path: /,", "path: /other,"),
                                    ("hosts: [www.", "hosts: [new.example.com, www.")])
def test_clients_left_an_edge_that_was_up_after_a_reload(world, processes, change):
    """By the time that its first new check had ended; and one that was down was not known to be."""
    text = world.fleet.read_text().replace("interval: 200ms, timeout: 200ms",
                                           "interval: 1h, timeout: 1h")
    world.fleet.write_text(text)
    world.servers["nyc1"].stop()
    daemon = world.start(processes)

    def states():
        return {name: [a["state"] for a in edge["addresses"].values()][0]
                for name, edge in daemon.status()["edges"].items()}

    found = {"fra1": "up", "nyc1": "down", "sin1": "up"}
    assert states() == found
    world.servers["fra1"].kind = world.servers["nyc1"].kind = "silent"
    world.servers["nyc1"].start()
    assert change[0] in text
    world.fleet.write_text(text.replace(*change))
    daemon.reload()
    wait_for(lambda: daemon.status().get("last_reload", {}).get("result") == "ok", "the reload")
    assert states() == found
    wait_for(lambda: world.servers["fra1"].held and world.servers["nyc1"].held,
             "the new checks to be under way")
    for subnet in FRANKFURT, NEW_YORK:
        assert world.addresses_of("www.example.com", subnet) == ["127.0.0.11"]


def test_reload_with_a_fifo_made_verdicts_stand_still(world, processes):
    daemon = world.start(processes)
    assert world.addresses_of("www.example.com", FRANKFURT) == ["127.0.0.11"]
    fifo = world.directory / "more.yaml"
    os.mkfifo(fifo)
    world.fleet.write_text(world.fleet.read_text() + f"include: {fifo}\n")
    daemon.reload()
    daemon.wait_log("is a FIFO, not a regular file")
    daemon.wait_log("reload refused")
    world.servers["fra1"].stop()
    wait_for(lambda: world.addresses_of("www.example.com", FRANKFURT) != ["127.0.0.11"],
             "clients to be sent elsewhere")
    assert daemon.counters()["dns_verdicts_stale_total"] == 0
