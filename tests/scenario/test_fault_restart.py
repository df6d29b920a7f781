# SPDX-License-Identifier: GPL-3.0-or-later
"""A name server that was started again knew nothing: it was silent until the slowest check had ended,
also of edges that nobody is sent to, and then guessed. Each test is named after what went wrong
once."""

import json
import os
import re
import signal

import pytest

from dns_fleet import FRANKFURT, NEW_YORK, World, answer_data
from perigee import wait_for


@pytest.fixture
def world(tmp_path):
    w = World(tmp_path, ("http", "http", "http"))
    slow(w)
    yield w
    w.close()


def slow(world, drained=()):
    """Checks are once in an hour, and have eight seconds."""
    world.write_fleet(drained=drained)
    text = re.sub(r", '2001:db8::\d'", "", world.fleet.read_text())
    world.fleet.write_text(text.replace("interval: 200ms, timeout: 200ms",
                                        "interval: 1h, timeout: 8s"))


def states(daemon):
    return {name: edge["state"] for name, edge in daemon.status()["edges"].items()}


def warnings(daemon):
    """But for those about the configuration: its addresses are of the loopback network."""
    return [line for line in daemon.log().splitlines()
            if " warn " in line and ": warning: " not in line]


def hush(world):
    for server in world.servers.values():
        server.kind = "silent"


UP_DOWN_UP = {"fra1": "up", "nyc1": "down", "sin1": "up"}


def first_run(world, processes):
    world.servers["nyc1"].stop()
    daemon = world.start(processes)
    assert states(daemon) == UP_DOWN_UP
    return daemon


def test_drained_edge_was_waited_for(world, processes):
    slow(world, drained=("nyc1",))
    world.servers["nyc1"].kind = "silent"
    daemon = world.start(processes)
    wait_for(lambda: world.servers["nyc1"].held, "it to be asked")
    assert states(daemon) == {"fra1": "up", "nyc1": "unknown", "sin1": "up"}
    assert not re.search("health checks have", daemon.log())
    assert world.addresses_of("www.example.com", NEW_YORK) == ["127.0.0.11"]


def test_restarted_name_server_had_forgotten_everything(world, processes):
    """It answers at once and as before, while all its checks are still under way."""
    first_run(world, processes).stop()
    hush(world)
    world.servers["nyc1"].start()
    daemon = world.start(processes)
    assert states(daemon) == UP_DOWN_UP
    wait_for(lambda: all(s.held for s in world.servers.values()), "all of them to be asked")
    for subnet in FRANKFURT, NEW_YORK:
        response = world.ask("www.example.com", subnet=subnet)
        assert answer_data(response) == ["127.0.0.11"]
        assert response.answer[0].ttl == 30
    assert states(daemon) == UP_DOWN_UP
    assert "3 verdicts about edges are known from" in daemon.log()
    assert not re.search("health checks have", daemon.log())


def test_first_check_after_a_restart_decides(world, processes):
    """What had been found out before is no reason to wait for a second failure."""
    first_run(world, processes).stop()
    world.servers["nyc1"].start()
    world.servers["sin1"].stop()
    daemon = world.start(processes)
    wait_for(lambda: states(daemon) == {"fra1": "up", "nyc1": "up", "sin1": "down"}, "the checks")
    world.servers["sin1"].start()


def test_what_was_known_went_with_a_crash(world, processes):
    daemon = first_run(world, processes)

    def kept():
        if not world.state.exists():
            return None
        edges = json.loads(world.state.read_text())["edges"].values()
        return [v["state"] for edge in edges for v in edge.values()] == list(UP_DOWN_UP.values())

    wait_for(kept, "them to be written")
    daemon.send_signal(signal.SIGKILL)
    daemon.wait()
    processes.remove(daemon)
    hush(world)
    world.servers["nyc1"].start()
    assert states(world.start(processes)) == UP_DOWN_UP


def test_nobody_was_told_whom_it_waits_for(world, processes):
    hush(world)
    daemon = world.start(processes)
    daemon.wait_log("it has waited for 3 s, and goes on without edges fra1, nyc1, sin1")
    assert set(states(daemon).values()) == {"unknown"}
    assert world.addresses_of("www.example.com", NEW_YORK) == ["127.0.0.12"]


def junk(path):
    path.write_text("\0\0\0")


def foreign(path):
    path.write_text('{"format": "something else"}')


def huge(path):
    path.touch()
    os.truncate(path, 1 << 40)


@pytest.mark.parametrize("make,said", [
    (junk, "is no JSON"), (foreign, "is not a file of verdicts"), (huge, "is larger than 4 MiB"),
    (os.mkfifo, "is a FIFO, not a regular file")])
def test_broken_file_kept_it_from_starting(world, processes, make, said):
    make(world.state)
    daemon = first_run(world, processes)
    daemon.stop()
    lines = warnings(daemon)
    assert len(lines) == 1 and f"{world.state} {said}" in lines[0]
    assert json.loads(world.state.read_text())["format"] == "perigee verdicts 1"


def a_folder(world):
    world.state.mkdir()
    return f"cannot rename {world.state}: Is a directory"


def no_folder(world):
    world.fleet.write_text(world.fleet.read_text().replace(
        str(world.state), str(world.directory / "none/ns1.state")))
    return f"cannot open {world.directory}/none/ns1.state: No such file or directory"


@pytest.mark.parametrize("make", [a_folder, no_folder])
def test_file_that_cannot_be_written_is_told_once(world, processes, make):
    said = make(world)
    daemon = first_run(world, processes)
    daemon.wait_log(re.escape(said))
    daemon.stop()
    assert sum(said in line for line in warnings(daemon)) == 1
