# SPDX-License-Identifier: GPL-3.0-or-later
"""A reload that takes long held up all that the control loop does: health checks came too late, and
nobody was answered. Thousands of sites, each with a certificate, make it long."""

import subprocess

import pytest

import perigee
from edge_fleet import HOST

SITES = 8000


@pytest.fixture
def busy(make_edge, origin):
    """An edge whose file, from here on, takes seconds to be read."""
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"], '
                             "health: {check: {kind: http, interval: 50ms, timeout: 50ms}}"})
    text = edge.fleet.read_text()
    head, site = text.split("sites:\n")
    edge.small = text
    edge.large = head + "sites:\n" + site + "".join(
        site.replace("  www:", f"  s{i}:", 1).replace(f"'{HOST}', '*.example.com'",
                                                      f"'s{i}.example.com'")
        for i in range(SITES))
    edge.fleet.write_text(edge.large)
    return edge


def outcome(edge):
    return edge.status().get("last_reload")


def test_reload_held_up_health_checks_and_status(busy):
    busy.reload()
    perigee.wait_for(lambda: "reload: reading" in busy.log(), "the reload to begin")
    probes = []
    while "last_reload" not in (status := busy.status()):
        probes.append(status["counters"]["olink_probes_total"])
    assert status["last_reload"]["result"] == "ok"
    # It was answered all the time, and all the time it went on checking.
    assert len(probes) >= 3 and probes[-1] > probes[0]
    assert len(busy.status()["sites"]) == SITES + 1


def test_newest_state_of_the_file_counts(busy):
    """Of what is asked for during a reload nothing was told, and all of it was done."""
    busy.reload()
    perigee.wait_for(lambda: "reload: reading" in busy.log(), "the reload to begin")
    # In one piece, while the other may be being read.
    small = busy.fleet.with_name("small.yaml")
    small.write_text(busy.small)
    small.rename(busy.fleet)
    for _ in range(10):
        busy.reload()
    # This one comes after all of them.
    assert reload_by_perigeectl(busy).stdout.endswith("\nreloaded\n")
    assert len(busy.status()["sites"]) == 1
    assert outcome(busy)["result"] == "ok"
    assert busy.counters()["edge_reload_failures_total"] == 0
    # How many become one is tested where a load can be held: tests/unit/core/process/test_daemon.c.


def reload_by_perigeectl(edge):
    return subprocess.run([perigee.CTL, "reload", edge.control_path], capture_output=True, text=True,
                          timeout=2 * perigee.PATIENCE, check=False)


def test_perigeectl_waits_for_the_outcome(busy):
    got = reload_by_perigeectl(busy)
    assert got.returncode == 0 and all(": warning: " in line for line in got.stderr.splitlines())
    lines = got.stdout.splitlines()
    assert lines[0] == f"reading {busy.fleet}" and lines[-2:] == ["published", "reloaded"]
    assert len(busy.status()["sites"]) == SITES + 1
    busy.fleet.write_text(busy.small.replace("workers: 1", "workers: many").replace("hosts:", "host:"))
    got = reload_by_perigeectl(busy)
    assert (got.returncode, got.stdout) == (1, f"reading {busy.fleet}\n")
    lines = got.stderr.splitlines()
    assert len(lines) >= 3 and lines[-1] == (
        "perigeectl: reload refused: the running configuration stays")
    assert all(line.startswith(f"{busy.fleet}:") for line in lines[:-1])
    assert outcome(busy)["result"] == next(line for line in lines if ": warning: " not in line)
