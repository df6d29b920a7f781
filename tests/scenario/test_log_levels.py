# SPDX-License-Identifier: GPL-3.0-or-later
"""`perigeectl log`: levels by module, changed while a daemon runs."""

import json
import re
import subprocess

import dns.message
import dns.query
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


def test_traces_follow_one_request(make_edge, origin):
    """From the client's connection to the origin's and back, each by the names of its states."""
    edge = make_edge({"app": f'servers: ["{origin.address}"], health: {{enabled: false}}'})
    before = len(edge.log())
    assert edge.curl(edge.url("/")).returncode == 0
    edge.wait_log(r"debug client: .*: ends in order: ")  # the last; lines are written later
    found = iter(re.sub(r"^.*? debug ", "", line) for line in edge.log()[before:].splitlines())
    at = re.escape(origin.address)
    for wanted in (
        r"client: (127\.0\.0\.1:\d+): accepted on fd \d+ by worker1, first bytes awaited",
        r"client: {client}: first bytes awaited, now TLS",
        r"client: {client}: silent, now handshaking",
        r"tls: fd \d+: handshake as server done in \d+ us: TLS1\.3, http/1\.1",
        r"client: {client}: handshaking, now idle",
        r"client: {client}: idle, now busy",
        r"exchange: {client}: GET www\.example\.com:\d+/: site www, origin app",
        rf"origin: origin app: 1 of 1 is {at}, up",
        r"origin: worker1 request 1 to app: opened, 1 candidates",
        rf"pool: worker1 lease 1: none, now connects, of {at}",
        rf"origin: worker1 request 1 to app: candidate 1 of 1, {at}, by lease 1 ",
        rf"pool: worker1 lease 1: connects, now held, of {at}",
        r"pool: worker1 lease 1: has fd \d+, new",
        r"origin: worker1 request 1 to app: attempt leases, now open",
        r"origin: worker1 request 1 to app: status 200",
        r"exchange: {client}: response awaited, now ",
        rf"pool: {at} fd \d+: free, now idle on worker1",
        r"client: {client}: ends in order: ",
    ):
        pattern = wanted.replace("{client}", client) if "{client}" in wanted else wanted
        match = next(filter(None, (re.match(pattern, line) for line in found)), None)
        assert match, f"no {wanted} in its place:\n{edge.log()[before:]}"
        if match.groups():
            client = re.escape(match.group(1))
    levels(edge, "info")
    before = len(edge.log())
    assert edge.curl(edge.url("/")).returncode == 0
    edge.wait_counter("edge_connections_active", 0)
    assert " debug " not in edge.log()[before:]


def test_traces_of_a_query(responder):
    levels(responder, "debug", "dns")
    (host, port), = responder.addresses()
    dns.query.tcp(dns.message.make_query("www.example.com", "A"), host, port=port,
                  timeout=perigee.PATIENCE)
    responder.wait_log(r"debug dns: tcp 127\.0\.0\.1:\d+: accepted on fd \d+ by worker")
    responder.wait_log(r"debug dns: 127\.0\.0\.1:\d+ asks 127\.0\.0\.1:\d+ for www\.example\.com\. "
                       r"over TCP: REFUSED, ")
    responder.wait_log(r"debug dns: tcp 127\.0\.0\.1:\d+: ends: its client has ended it")


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
