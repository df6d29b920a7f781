# SPDX-License-Identifier: GPL-3.0-or-later
"""`perigeectl log`: levels by module, changed while a daemon runs."""

import json
import subprocess

import pytest

import perigee
from perigee import wait_for


def ctl(*args):
    return subprocess.run([perigee.CTL, "log", *map(str, args)], capture_output=True, text=True,
                          timeout=60, check=False)


def levels(daemon, *words):
    """{module: level} as answered."""
    run = ctl("--json", daemon.control_path, *words)
    assert run.returncode == 0, run.stderr
    return {row["module"]: row["level"] for row in json.loads(run.stdout)["levels"]}


@pytest.fixture
def responder(processes, tmp_path):
    fleet = tmp_path / "dns.yaml"
    fleet.write_text("log: {level: warn}\nnameservers:\n  ns1: {listen: '127.0.0.1:0'}\n")
    daemon = perigee.Daemon(perigee.DNS, fleet, "ns1", tmp_path)
    daemon.fleet = fleet
    processes.append(daemon)
    return daemon


def test_levels_are_shown_and_set(responder):
    assert set(levels(responder).values()) == {"warn"}
    assert levels(responder, "debug", "zone")["zone"] == "debug"
    assert levels(responder)["dns"] == "warn"
    assert set(levels(responder, "error").values()) == {"error"}
    run = ctl(responder.control_path)
    assert "zone files" in run.stdout and "LEVEL" in run.stdout


def reload(daemon):
    """Returns once it has taken the configuration, which it says at a level of info."""
    before = daemon.log().count("reloaded")
    daemon.reload()
    wait_for(lambda: daemon.log().count("reloaded") > before, "the reload")


def test_a_reload_keeps_them_until_the_file_says_another_level(responder):
    assert levels(responder, "info")["dns"] == "info"
    levels(responder, "debug", "dns")
    reload(responder)
    assert levels(responder)["dns"] == "debug"
    assert levels(responder)["zone"] == "info"
    responder.fleet.write_text(responder.fleet.read_text().replace("warn", "info"))
    reload(responder)
    assert set(levels(responder).values()) == {"info"}


def test_an_edge_has_them_too(make_edge, origin):
    edge = make_edge({"app": f'servers: ["{origin.address}"]'})
    assert set(levels(edge).values()) == {"debug"}
    run = ctl("-c", edge.fleet, "fra1")
    assert run.returncode == 1  # it listens elsewhere than the file says
    assert levels(edge, "info", "tls")["tls"] == "info"


@pytest.mark.parametrize("words,message", [
    (["debgu"], 'there is no level "debgu"; did you mean "debug"?'),
    (["debug", "orign"], 'there is no module "orign"; did you mean "origin"?'),
    (["debug", "quite-another"], 'there is no module "quite-another"'),
    (["debug", "tls", "more"], "are needed"),
])
def test_unknown_words(words, message):
    run = ctl("socket", *words)
    assert run.returncode == 2
    assert message in run.stderr


def test_the_daemon_names_what_there_is(responder):
    answer = perigee.control(responder.control_path, "log loud")
    assert answer == {"error": 'no level "loud"; there are: error, warn, info, debug'}
