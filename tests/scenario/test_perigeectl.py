# SPDX-License-Identifier: GPL-3.0-or-later
"""perigeectl as an operator meets it: output, messages, exit codes."""

import json
import os
import pty
import shutil
import socket
import subprocess
import termios
import threading

import pytest

import perigee
from dns_fleet import HealthServer, World

SAMPLES = perigee.SOURCE / "config" / "samples"

FLEET = """\
edges:
  fra1: {location: 50.11,8.68, addresses: [127.0.0.1], control: %(dir)s/fra1.sock}
nameservers:
  ns1: {control: %(dir)s/ns1.sock}
"""


def ctl(*args, cwd=None, env=None):
    return subprocess.run([perigee.CTL, *args], capture_output=True, text=True, timeout=60,
                          cwd=cwd, env=env)


@pytest.fixture
def fleet(tmp_path):
    file = tmp_path / "fleet.yaml"
    file.write_text(FLEET.replace("50.11,8.68", '"50.11,8.68"') % {"dir": tmp_path})
    return file


def test_check_ok(tmp_path):
    (tmp_path / "f.yaml").write_text("nameservers: {ns1: }\n")
    run = ctl("check", tmp_path / "f.yaml")
    assert (run.returncode, run.stdout, run.stderr) == (0, "ok\n", "")


def test_check_tells_all_errors_with_places(tmp_path):
    (tmp_path / "f.yaml").write_text(
        "edges:\n"
        "  fra1:\n"
        "    lisen: '*:443'\n"
        "    workers: many\n"
        "  fra1: {}\n"
        "origins: {}\n"
    )
    run = ctl("check", "f.yaml", cwd=tmp_path)
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr.splitlines() == [
        'f.yaml:3:5: edges.fra1.lisen is not known; did you mean "listen"?',
        'f.yaml:4:14: edges.fra1.workers: "many" is not a whole number',
        "f.yaml:5:3: edges.fra1 is defined twice; first at f.yaml:2:3",
    ]


def test_check_looks_into_files(tmp_path, certificate):
    """What is in them was found by the daemons only."""
    for name in ("minimal.yaml", "perigee.yaml"):
        shutil.copy(SAMPLES / name, tmp_path)
    run = ctl("check", "minimal.yaml", cwd=tmp_path)
    assert run.returncode == 1
    assert run.stderr.splitlines() == [
        f"minimal.yaml:12:20: {tmp_path}/www.pem cannot be read: No such file or directory",
        f"minimal.yaml:12:20: {tmp_path}/www.key cannot be read: No such file or directory",
    ]
    for name in ("www.pem", "www.key"):
        (tmp_path / name).touch()
    run = ctl("check", "minimal.yaml", cwd=tmp_path)
    assert run.returncode == 1 and "www.pem holds no certificate in PEM" in run.stderr
    for name, good in zip(("www.pem", "www.key"), certificate):
        shutil.copy(good, tmp_path / name)
    run = ctl("check", "minimal.yaml", cwd=tmp_path)
    assert (run.returncode, run.stdout, run.stderr) == (0, "ok\n", "")
    run = ctl("check", "perigee.yaml", cwd=tmp_path)
    lines = (SAMPLES / "perigee.yaml").read_text().splitlines()
    zone, geo = lines.index("  example.com:") + 1, lines.index("geo:") + 1
    assert (f"perigee.yaml:{zone}:3: zone file {tmp_path}/example.com.zone cannot be read: "
            "No such file") in run.stderr
    assert f"perigee.yaml:{geo}:1: geo database" in run.stderr
    (tmp_path / "example.com.zone").write_text("@ SOA a b 1 2 3 4 5\nwww A 1.2.3\n")
    run = ctl("check", "perigee.yaml", cwd=tmp_path)
    assert f"{tmp_path}/example.com.zone:2: invalid IPv4 address" in run.stderr


def test_check_looks_at_files_of_origins(tmp_path, authority):
    """A missing one was found by the daemon only."""
    for name in ("ca.pem", "edge.pem", "edge.key"):
        (tmp_path / "f.yaml").write_text(
            "nameservers: {ns1: }\norigins:\n  app:\n    servers: [a]\n"
            "    tls: {enabled: true, ca: ca.pem, certificate: edge.pem, key: edge.key}\n")
        run = ctl("check", "f.yaml", cwd=tmp_path)
        assert run.returncode == 1
        assert run.stderr == (f"f.yaml:3:3: origin app: {tmp_path}/{name} cannot be read: "
                              "No such file or directory\n")
        shutil.copy(authority.certificate, tmp_path / name)
    run = ctl("check", "f.yaml", cwd=tmp_path)
    assert run.returncode == 1 and "edge.key is not a private key in PEM" in run.stderr


@pytest.mark.parametrize("command", [
    [perigee.CTL, "check"], [perigee.DNS, "--check", "--node", "ns1", "-c"]])
def test_ok_that_nobody_could_read_was_a_success(tmp_path, command):
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text("nameservers: {ns1: }\n")
    assert subprocess.run([*command, fleet], stdout=subprocess.PIPE, timeout=60).stdout == b"ok\n"
    with open("/dev/full", "w") as full:
        run = subprocess.run([*command, fleet], stdout=full, timeout=60, check=False)
    assert run.returncode == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_check_by_somebody_who_may_not_read_the_keys(open_path, certificate):
    shutil.copy(SAMPLES / "minimal.yaml", open_path)
    for name, good in zip(("www.pem", "www.key"), certificate):
        shutil.copy(good, open_path / name)
    (open_path / "www.key").chmod(0o600)
    # Where it was built may be closed to others.
    program = shutil.copy(perigee.CTL, open_path)
    run = subprocess.run([program, "check", "minimal.yaml"], cwd=open_path, user=65534, group=65534,
                         extra_groups=[], capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout) == (0, "ok\n"), run
    assert run.stderr == f"not checked, since you may not read it: {open_path}/www.key\n"
    run = subprocess.run([program, "check", "-n", "fra1", "minimal.yaml"], cwd=open_path, user=65534,
                         group=65534, extra_groups=[], capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout) == (0, "ok\n")
    assert run.stderr == f"not checked, since you may not read it: {open_path}/www.key\n"


def test_check_of_a_broken_geo_database(tmp_path):
    (tmp_path / "broken.mmdb").write_bytes(b"nothing like a database" * 100)
    (tmp_path / "f.yaml").write_text("nameservers: {a: }\ngeo: {database: broken.mmdb}\n")
    run = ctl("check", "f.yaml", cwd=tmp_path)
    assert run.returncode == 1
    assert run.stderr.startswith("f.yaml:2:1: ") and "broken.mmdb" in run.stderr


@pytest.mark.parametrize("section", ["edges", "nameservers"])
def test_name_too_long_for_a_control_socket_was_said_twice(tmp_path, section):
    """Of the name, and of the path that it would have made."""
    (tmp_path / "f.yaml").write_text(f"{section}: {{{'x' * 120}: }}\n")
    run = ctl("check", "f.yaml", cwd=tmp_path)
    assert run.returncode == 1 and len(run.stderr.splitlines()) == 1
    assert '" is not a name' in run.stderr
    (tmp_path / "f.yaml").write_text(f"{section}: {{a: {{control: {'x' * 120}}}}}\n")
    run = ctl("check", "f.yaml", cwd=tmp_path)
    assert run.returncode == 1 and len(run.stderr.splitlines()) == 1
    assert "longer than the path of a socket may be" in run.stderr


GOOD = {
    "edges": '{fra1: {location: "50.11,8.68", addresses: [203.0.113.10], control: e}}',
    "nameservers": '{ns1: {state: "", control: n}}',
    "origins": "{app: {servers: [a]}}",
    "sites": "{www: {hosts: [www.example.com], certificates: [{certificate: c.pem, key: c.key}],"
             " routes: [{path: /, origin: app}]}}",
    "zones": "{example.com: {file: zone, steered: {www: {site: www}}}}",
    "geo": f"{{database: {perigee.SAMPLE_MMDB}}}",
}


@pytest.fixture
def parts(tmp_path, authority, certificate):
    """What GOOD names, and files that are of no use."""
    good = authority.issue("good", ["www.example.com"])
    expired = authority.issue_expired("expired", "www.example.com")
    for name, file in zip(("c.pem", "c.key", "old.pem", "old.key"), (*good, *expired)):
        shutil.copy(file, tmp_path / name)
    shutil.copy(authority.key, tmp_path / "other.key")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "empty").touch()
    (tmp_path / "zone").write_text("@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n")
    return tmp_path


def write_fleet(folder, changes):
    (folder / "f.yaml").write_text("".join(
        f"{key}: {value}\n" for key, value in (GOOD | changes).items()))


def verdict(folder, *argv):
    """What a program says of f.yaml: whether it is right, and every complaint."""
    run = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode in (0, 1) and run.stdout == ("" if run.returncode else "ok\n"), run
    return run.returncode, sorted(run.stderr.splitlines())


@pytest.mark.parametrize("section,text", [
    (None, None),
    ("edges", '{fra1: {location: "1,2", addresses: [192.0.2.1], workers: 0}}'),
    ("edges", '{fra1: {location: "1,2", addresses: [192.0.2.1], control: e}, idle: {control: i}}'),
    ("edges", '{fra1: {location: "1,2", addresses: [192.0.2.1, 192.0.2.1]}}'),
    ("edges", '{fra1: {location: "1,2", addresses: [192.0.2.1], listen: ["*:443"], '
              'listen_plain: ["*:443"]}}'),
    ("edges", "{fra1: {addresses: [192.0.2.1]}}"),
    ("edges", '{fra1: {location: "1,2"}}'),
    ("nameservers", '{ns1: {state: "", listen: ["*:53", "*:53"]}}'),
    ("nameservers", '{ns1: {state: "", control: %s}}' % ("x" * 120)),
    ("origins", "{app: {servers: [a], tls: {enabled: true, ca: fifo}}}"),
    ("origins", "{app: {servers: [a], tls: {enabled: true, certificate: c.pem, key: other.key}}}"),
    ("sites", "{}"),
    ("sites", GOOD["sites"].replace("c.key", "other.key")),
    ("sites", GOOD["sites"].replace("c.pem", "fifo")),
    ("sites", GOOD["sites"].replace("c.pem", "old.pem").replace("c.key", "old.key")),
    ("sites", GOOD["sites"].replace("[www.", "[uncovered.test, www.")),
    ("sites", GOOD["sites"].replace("/,", "/%00,")),
    ("sites", GOOD["sites"][:-2] + ", edges: [fra1]}}"),
    ("sites", GOOD["sites"][:-2] + ", edges: [fra2]}}"),
    ("zones", "{example.com: {file: fifo}}"),
    ("zones", "{example.com: {file: empty}}"),
    ("zones", "{example.com: {file: zone}, www.example.com: {file: zone}}"),
    ("zones", "{example.com: {file: zone, steered: {ns: {site: www}}}}"),
    ("zones", "{example.com: {file: zone, steered: {www: {site: api}}}}"),
    ("geo", "{database: zone}"),
    ("geo", "{database: /proc/self/status}"),
    ("geo", f"{{database: [{perigee.SAMPLE_MMDB}, zone]}}"),
    ("include", "fifo"),
    ("include", "empty"),
    ("include", "'*.none'"),
])
def test_check_says_what_the_daemons_say(parts, section, text):
    """It passed an edge that serves no site, which does not start; perigee-dns passed a node that is
    not there."""
    write_fleet(parts, {section: text} if section else {})
    nodes = [(perigee.EDGE, "fra1"), (perigee.DNS, "ns1")]
    if section == "edges" and "idle" in text:
        nodes.append((perigee.EDGE, "idle"))
    said = {}
    for program, node in nodes:
        said[node] = verdict(parts, program, "--check", "--config", "f.yaml", "--node", node)
        assert verdict(parts, perigee.CTL, "check", "--node", node, "f.yaml") == said[node]
    code, lines = verdict(parts, perigee.CTL, "check", "f.yaml")
    assert code == max(code for code, _ in said.values()), said
    assert set(lines) == {line for _, lines in said.values() for line in lines}
    assert section is not None or (code, lines) == (0, [])
    assert code == 0 or lines


@pytest.mark.parametrize("node,edge,server", [
    ("fra2", 'there is no edge "fra2"; did you mean "fra1"?', 'there is no name server "fra2"'),
    ("ns2", 'there is no edge "ns2"', 'there is no name server "ns2"; did you mean "ns1"?'),
])
def test_check_as_a_node_that_is_not_there(parts, node, edge, server):
    write_fleet(parts, {})
    for program, words in ((perigee.EDGE, edge), (perigee.DNS, server)):
        for check in ([], ["--check"]):
            run = subprocess.run([program, *check, "-c", "f.yaml", "-n", node], cwd=parts,
                                 capture_output=True, text=True, timeout=60, check=False)
            assert (run.returncode, run.stdout, run.stderr) == (1, "", f"f.yaml: {words}\n")
    near = "fra1" if node == "fra2" else "ns1"
    assert verdict(parts, perigee.CTL, "check", "--node", node, "f.yaml") == (
        1, [f'f.yaml: there is no node "{node}"; did you mean "{near}"?'])


def test_check_warns_of_what_depends_on_the_machine(parts):
    """Which daemons meet when they start: of folders that are not there nothing was said."""
    write_fleet(parts, {
        "edges": '{fra1: {location: "1,2", addresses: [192.0.2.1], listen: ["192.0.2.1:443"], '
                 'control: a/b/e}}',
        "nameservers": '{ns1: {listen: ["192.0.2.1:53"], control: c.pem/n, state: none/s}}',
        "http": "{access_log: {output: none/log}}"})
    assert verdict(parts, perigee.CTL, "check", "f.yaml") == (0, [])
    none = "No such file or directory"
    assert verdict(parts, perigee.CTL, "check", "-n", "fra1", "f.yaml") == (0, [
        f"f.yaml: warning: http.access_log.output: {parts}/none/log: the folder {parts}/none: {none}",
        f"f.yaml:1:9: warning: edges.fra1.control: {parts}/a/b/e: the folder {parts}/a/b: {none}",
        "f.yaml:1:9: warning: edges.fra1.listen: cannot listen on 192.0.2.1:443 here: Cannot assign "
        "requested address",
    ])
    assert verdict(parts, perigee.CTL, "check", "-n", "ns1", "f.yaml") == (0, [
        f"f.yaml:2:15: warning: nameservers.ns1.control: {parts}/c.pem/n: the folder {parts}/c.pem: "
        "Not a directory",
        "f.yaml:2:15: warning: nameservers.ns1.listen: cannot listen on 192.0.2.1:53 here: Cannot "
        "assign requested address",
        f"f.yaml:2:15: warning: nameservers.ns1.state: {parts}/none/s: the folder {parts}/none: {none}",
    ])
    # A control socket's folder is made when only that is missing.
    write_fleet(parts, {"nameservers": '{ns1: {listen: ["127.0.0.1:0"], control: a/n, state: ""}}'})
    assert verdict(parts, perigee.CTL, "check", "-n", "ns1", "f.yaml") == (0, [])


@pytest.mark.parametrize("content,message", [
    (b"", ":1:1: nothing is configured"),
    (b"edges: {a: \xff}", ":1:12: not UTF-8"),
    (b"[" * 100000, ":1:34: nested more than 32 deep"),
])
def test_check_of_junk(tmp_path, content, message):
    (tmp_path / "f.yaml").write_bytes(content)
    run = ctl("check", "f.yaml", cwd=tmp_path)
    assert run.returncode == 1
    assert run.stderr.startswith("f.yaml" + message)
    assert len(run.stderr.splitlines()) == 1


def test_check_of_a_missing_file_and_a_folder(tmp_path):
    run = ctl("check", tmp_path / "none.yaml")
    assert run.returncode == 1
    assert run.stderr == f"{tmp_path}/none.yaml: cannot be read: No such file or directory\n"
    run = ctl("check", tmp_path)
    assert (run.returncode, run.stderr) == (1, f"{tmp_path}: is a folder, not a regular file\n")


@pytest.mark.parametrize("name", ["minimal.yaml", "perigee.yaml"])
def test_dump_loads_to_itself(tmp_path, name):
    first = ctl("dump", SAMPLES / name)
    assert first.returncode == 0 and first.stderr == ""
    (tmp_path / "dump.yaml").write_text(first.stdout)
    assert ctl("dump", tmp_path / "dump.yaml").stdout == first.stdout


def test_environment(tmp_path):
    (tmp_path / "f.yaml").write_text("log: {level: \"${LEVEL}\"}\nedges: {a: }\n")
    env = {k: v for k, v in os.environ.items() if k != "LEVEL"}
    run = ctl("dump", "f.yaml", cwd=tmp_path, env=env)
    assert run.returncode == 1 and "LEVEL is not set" in run.stderr
    run = ctl("dump", "f.yaml", cwd=tmp_path, env=env | {"LEVEL": "debug"})
    assert "level: debug" in run.stdout


def test_man_is_in_the_page_that_was_built():
    page = (perigee.BUILD / "config" / "perigee.yaml.5").read_text()
    options = ctl("man").stdout
    assert options.startswith(".Ss User\n") and options in page
    assert "@OPTIONS@" not in page


COMMANDS = ["check", "dump", "schema", "man", "status", "metrics", "explain"]


def test_help_and_version():
    run = ctl("--help")
    assert run.returncode == 0
    for command in COMMANDS:
        assert f"\n  {command}" in run.stdout
        one = ctl(command, "--help")
        assert (one.returncode, one.stderr) == (0, "")
        assert one.stdout.startswith(f"Usage: perigeectl {command}")
    run = ctl("--version")
    assert run.returncode == 0 and run.stdout.startswith("perigeectl ")


@pytest.mark.parametrize("args", [
    [], ["frobnicate"], ["check"], ["check", "a", "b"], ["check", "--frobnicate"], ["schema", "x"],
    ["status"], ["status", "-c", "f"], ["status", "a", "b"], ["status", "--nameserver", "n", "s"],
    ["explain"], ["explain", "s", "n", "A"], ["explain", "s", "n", "A", "1.2.3.4 5"],
    ["explain", "--nameserver", "n", "s", "n", "A", "1.2.3.4"],
])
def test_wrong_calls(args):
    run = ctl(*args)
    assert run.returncode == 2
    assert run.stdout == "" and "--help" in run.stderr


def test_full_disk(fleet):
    with open("/dev/full", "w") as full:
        run = subprocess.run([perigee.CTL, "dump", fleet], stdout=full, stderr=subprocess.PIPE,
                             text=True, timeout=60)
    assert run.returncode == 1 and "No space left" in run.stderr


class Answering:
    """A control socket that answers one call with some lines and keeps what was asked."""

    def __init__(self, path, *lines):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.asked = None
        self.lines = lines
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        connection, _ = self.listener.accept()
        with connection, connection.makefile("r") as lines:
            self.asked = lines.readline()
            for line in self.lines:
                connection.sendall(json.dumps(line).encode() + b"\n")

    def done(self):
        self.thread.join(60)
        self.listener.close()
        return self.asked


STATUS = {
    "program": "perigee-edge", "node": "fra1", "state": "serving", "uptime_s": 12.5,
    "listeners": [{"address": "[::]:443", "tls": True}, {"address": "127.0.0.1:80", "tls": False}],
    "counters": {"edge_requests_total": 17, "edge_connections": 2,
                 "edge_reloads_total": 0},
    "origins": {"app": {"breaker": "open", "servers": [
        {"host": "app.example", "port": 8080, "resolved": True, "addresses": [
            {"address": "192.0.2.1:8080", "state": "up", "idle": 3, "cause": "ok", "probe_ms": 1.25},
            {"address": "192.0.2.2:8080", "state": "down", "idle": 0, "cause": "refused"}]},
        {"host": "new.example", "port": 80, "resolved": False, "addresses": []}]}},
    "edges": {
        "fra1": {"state": "up", "admin": "active", "failing": False, "addresses": [
            {"address": "203.0.113.10", "state": "up"},
            {"address": "2001:db8::10", "state": "unknown"}]},
        "gru1 in São Paulo": {"state": "down", "admin": None, "addresses": []}},
    "sites": [{"name": "www", "hosts": [f"h{i}.www.example.com" for i in range(7)]}],
}


def words(text):
    return [line.split() for line in text.splitlines()]


def test_status(fleet, tmp_path):
    server = Answering(tmp_path / "fra1.sock", {"result": STATUS})
    run = ctl("status", "-c", fleet, "fra1")
    assert server.done() == "status\n"
    assert run.returncode == 0, run.stderr
    lines = words(run.stdout)
    assert ["node", "fra1"] in lines
    assert ["state", "serving"] in lines
    assert ["ADDRESS", "TLS"] in lines
    assert ["[::]:443", "yes"] in lines and ["127.0.0.1:80", "no"] in lines
    assert ["edge_requests_total", "17"] in lines
    assert "edge_reloads_total" not in run.stdout
    assert lines[-1] == ["(1", "more", "are", "0)"]
    assert run.stdout.index("\nEDGES\n") < run.stdout.index("\nCOUNTERS\n")


def part(text, title):
    """The lines of a part of what was printed."""
    lines = text.split(f"\n{title}\n")[1].split("\n\n")[0].splitlines()
    return [line.rstrip() for line in lines]


def test_status_shows_what_is_below_what(fleet, tmp_path):
    server = Answering(tmp_path / "fra1.sock", {"result": STATUS})
    run = ctl("status", "-c", fleet, "fra1", env={**os.environ, "LC_ALL": "C"})
    server.done()
    # In the locale C, which has no lines to draw trees with; São Paulo is not touched by it.
    assert part(run.stdout, "ORIGINS") == [
        "NAME                BREAKER  RESOLVED  STATE  IDLE  CAUSE    PROBE MS",
        "app                 open",
        "|-app.example:8080           yes",
        "| |-192.0.2.1:8080                     up        3  ok           1.25",
        "| `-192.0.2.2:8080                     down      0  refused",
        "`-new.example:80             no",
    ]
    assert part(run.stdout, "EDGES") == [
        "NAME               STATE    ADMIN   FAILING",
        "fra1               up       active  no",
        "|-203.0.113.10     up",
        "`-2001:db8::10     unknown",
        "gru1 in São Paulo  down     -",
    ]


def test_status_shows_what_origins_did(fleet, tmp_path):
    server = {"host": "app.example", "port": 8080, "resolved": True, "addresses": [],
              "traffic": {"attempts": 9, "answers": {"2xx": 7, "5xx": 1},
                          "failures": {"origin-closed": 1}, "reused_percent": 88.88},
              "times": {"first_byte": {"count": 8, "p50_ms": 0.5}, "whole": {"count": 8, "p50_ms": 20.0}}}
    status = {"state": "serving", "origins": {
        "app": {"servers": [server]},
        "new": {"servers": [{"host": "new.example", "port": 80, "resolved": False, "addresses": [],
                             "traffic": {"attempts": 0, "answers": {}, "failures": {},
                                         "reused_percent": None}, "times": {}}]}}}
    answering = Answering(tmp_path / "fra1.sock", {"result": status})
    run = ctl("status", "-c", fleet, "fra1", env={**os.environ, "LC_ALL": "C"})
    answering.done()
    assert part(run.stdout, "ORIGINS") == [
        "NAME                RESOLVED",
        "app",
        "`-app.example:8080  yes",
        "new",
        "`-new.example:80    no",
    ]
    assert part(run.stdout, "ORIGINS TRAFFIC") == [
        "NAME                ATTEMPTS  ANSWERS       FAILURES         REUSED PERCENT",
        "app",
        "`-app.example:8080         9  2xx 7, 5xx 1  origin-closed 1           88.88",
        "new",
        "`-new.example:80           0  -             -                             -",
    ]
    assert part(run.stdout, "ORIGINS TIMES") == [
        "NAME                COUNT  P50 MS",
        "app",
        "`-app.example:8080",
        "  |-first_byte          8     0.5",
        "  `-whole               8      20",
    ]


def test_metrics(fleet, tmp_path):
    """What belongs to one metric has to stand together, and a server's counters come one after the other."""
    counters = {"edge_requests_total": 17, "edge_connections": 2}
    for server in "a:80", "b:80":
        labels = f'origin="app",server="{server}"'
        counters[f"olink_server_attempts_total{{{labels}}}"] = 3
        counters[f'olink_server_seconds_bucket{{{labels},stage="tls",le="+Inf"}}'] = 1
        counters[f'olink_server_seconds_count{{{labels},stage="tls"}}'] = 1
        counters[f'olink_server_seconds_sum{{{labels},stage="tls"}}'] = 0.25
    answering = Answering(tmp_path / "fra1.sock", {"result": {"state": "serving", "counters": counters}})
    run = ctl("metrics", "-c", fleet, "fra1")
    assert answering.done() == "status\n"
    assert run.stdout.splitlines() == [
        "# TYPE edge_connections gauge",
        "edge_connections 2",
        "# TYPE edge_requests_total counter",
        "edge_requests_total 17",
        "# TYPE olink_server_attempts_total counter",
        'olink_server_attempts_total{origin="app",server="a:80"} 3',
        'olink_server_attempts_total{origin="app",server="b:80"} 3',
        "# TYPE olink_server_seconds histogram",
        'olink_server_seconds_bucket{origin="app",server="a:80",stage="tls",le="+Inf"} 1',
        'olink_server_seconds_count{origin="app",server="a:80",stage="tls"} 1',
        'olink_server_seconds_sum{origin="app",server="a:80",stage="tls"} 0.25',
        'olink_server_seconds_bucket{origin="app",server="b:80",stage="tls",le="+Inf"} 1',
        'olink_server_seconds_count{origin="app",server="b:80",stage="tls"} 1',
        'olink_server_seconds_sum{origin="app",server="b:80",stage="tls"} 0.25',
    ]
    shown = Answering(tmp_path / "s", {"result": {"state": "serving", "counters": counters}})
    run = ctl("status", tmp_path / "s")
    shown.done()
    assert "edge_requests_total" in run.stdout and "olink_server" not in run.stdout


def on_terminal(argv, columns, **env):
    """What a command shows on a terminal that is so wide."""
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (24, columns))
    clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS")}
    child = subprocess.Popen([str(a) for a in argv], stdout=follower, stderr=follower,
                             env={**clean, "TERM": "xterm", "LC_ALL": "C.UTF-8", **env})
    os.close(follower)
    shown = b""
    try:
        while chunk := os.read(leader, 65536):
            shown += chunk
    except OSError:  # how a terminal says that nobody writes any more
        pass
    os.close(leader)
    assert child.wait(60) == 0
    return shown.decode().replace("\r\n", "\n")


def shown_status(tmp_path, columns, **env):
    server = Answering(tmp_path / "s", {"result": STATUS})
    shown = on_terminal([perigee.CTL, "status", tmp_path / "s"], columns, **env)
    server.done()
    (tmp_path / "s").unlink()
    return shown


def test_status_has_colours_on_terminals_only(tmp_path):
    shown = shown_status(tmp_path, 100)
    assert "\x1b[32mup" in shown and "\x1b[31mdown" in shown and "├─203.0.113.10" in shown
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b" not in shown_status(tmp_path, 100, **env)
    server = Answering(tmp_path / "s", {"result": STATUS})
    run = ctl("status", tmp_path / "s", env={**os.environ, "TERM": "xterm"})
    server.done()
    assert "\x1b" not in run.stdout


def test_status_is_as_wide_as_the_terminal(tmp_path):
    wide, narrow = (shown_status(tmp_path, columns, NO_COLOR="1") for columns in (200, 72))
    hosts = ", ".join(STATUS["sites"][0]["hosts"])
    assert hosts in wide
    assert max(map(len, narrow.splitlines())) <= 72
    assert hosts not in narrow
    # Nothing is lost: the rest stands below, in the same column.
    heading, *lines = part(narrow, "SITES")
    column = heading.index("HOSTS")
    assert "".join(line[column:].ljust(72 - column) for line in lines).rstrip() == hosts


def test_status_json(tmp_path):
    server = Answering(tmp_path / "s", {"result": STATUS})
    run = ctl("status", "--json", tmp_path / "s")
    server.done()
    assert run.returncode == 0 and json.loads(run.stdout) == STATUS


def test_reload(tmp_path):
    server = Answering(tmp_path / "s", {"progress": "zones 3 of 12"}, {"progress": "published"},
                       {"result": {"reloaded": True, "restart": "edges.fra1.workers",
                                   "warnings": ["f.yaml:1:2: warning: odd"]}})
    run = ctl("reload", tmp_path / "s")
    assert server.done() == "reload\n"
    assert (run.returncode, run.stderr) == (0, "f.yaml:1:2: warning: odd\n")
    assert run.stdout == ("zones 3 of 12\npublished\nreloaded\n"
                          "edges.fra1.workers has changed: that takes a restart\n")
    (tmp_path / "s").unlink()
    errors = ["f.yaml:1:2: wrong", "f.yaml:3:4: wrong too"]
    refusal = {"error": "reload refused: the running configuration stays", "errors": errors}
    server = Answering(tmp_path / "s", {"progress": "reading"}, refusal)
    run = ctl("reload", tmp_path / "s")
    server.done()
    assert (run.returncode, run.stdout) == (1, "reading\n")
    assert run.stderr.splitlines() == [
        *errors, "perigeectl: reload refused: the running configuration stays"]
    (tmp_path / "s").unlink()
    server = Answering(tmp_path / "s", {"progress": "reading"}, refusal)
    run = ctl("reload", "--json", tmp_path / "s")
    server.done()
    assert (run.returncode, json.loads(run.stdout), run.stderr) == (1, refusal, "")


NEW_EDGE = """\
  gru1:
    location: '-23.5, -46.6'
    addresses: [127.0.0.14]
    check: {{kind: http, port: {port}, path: /, interval: 1s, timeout: 500ms, fall: 1}}
"""


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.close()


def test_reload_tells_what_a_name_server_is_at(world, processes):
    daemon = world.start(processes)
    silent = HealthServer("silent", "127.0.0.14")
    text = world.fleet.read_text()
    world.fleet.write_text(text.replace("edges:\n", "edges:\n" + NEW_EDGE.format(port=silent.port)))
    run = ctl("reload", daemon.control_path)
    silent.stop()
    lines = run.stdout.splitlines()
    assert (run.returncode, lines[0]) == (0, f"reading {world.fleet}")
    assert all(": warning: " in line for line in run.stderr.splitlines())
    assert "settling, waiting for edge gru1" in lines
    assert lines[-2:] == ["published", "reloaded"]


def test_file_name_in_an_error_was_printed_raw(tmp_path, processes):
    folder = tmp_path / "\u202ex\u009b31m"
    folder.mkdir()
    (folder / "zone").write_text("@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n")
    (folder / "fleet.yaml").write_text("nameservers: {ns1: {listen: '127.0.0.1:0'}}\n"
                                       "zones: {example.com: {file: zone}}\n")
    daemon = perigee.Daemon(perigee.DNS, folder / "fleet.yaml", "ns1", tmp_path)
    processes.append(daemon)
    (folder / "zone").write_text("nonsense\n")
    shown = f"{tmp_path}/\\u202ex\\u009b31m/zone:"
    for command in (["reload", daemon.control_path], ["status", daemon.control_path],
                    ["check", folder / "fleet.yaml"]):
        run = ctl(*command)
        said = run.stdout + run.stderr
        assert shown in said and not set(said) & set("\u202e\u009b"), run
    daemon.wait_log("reload refused")
    assert shown in daemon.log() and not set(daemon.log()) & set("\u202e\u009b")


EXPLANATION = {
    "name": "www.example.com.", "type": "A", "client": "192.0.2.0/24", "rcode": "NOERROR",
    "scope": 22, "answer": ["www.example.com. 30 A 203.0.113.10"], "authority": [],
    "additional": [], "site": "www", "policy": "nearest", "chosen": "fra1", "reason": "nearest",
    "ttl": 30, "margin_km": 118.43,
    "place": {"known": True, "latitude": 52.52, "longitude": 13.4, "city": "Berlin",
              "country": "DE", "continent": "EU", "asn": 3320},
    "candidates": [
        {"state": "up", "cause": "ok", "admin": "active", "edge": "fra1", "distance_km": 423.6},
        {"state": "down", "cause": "refused", "admin": "active", "edge": "nyc1",
         "distance_km": None}],
}


def test_explain(fleet, tmp_path):
    # The only name server need not be named.
    for extra in ([], ["--nameserver", "ns1"]):
        (tmp_path / "ns1.sock").unlink(missing_ok=True)
        server = Answering(tmp_path / "ns1.sock", {"result": EXPLANATION})
        run = ctl("explain", "-c", fleet, *extra, "www.example.com", "A", "192.0.2.0/24")
        assert server.done() == "explain www.example.com A 192.0.2.0/24\n"
        assert run.returncode == 0, run.stderr
        assert run.stdout.startswith("www.example.com. A for 192.0.2.0/24: NOERROR, scope /22\n"
                                     "  www.example.com. 30 A 203.0.113.10\n")
        lines = words(run.stdout)
        assert ["policy", "nearest"] in lines and ["margin_km", "118.43"] in lines
        assert ["latitude", "52.52"] in words("\n".join(part(run.stdout, "PLACE")))
        assert ["asn", "3320"] in words("\n".join(part(run.stdout, "PLACE")))
        assert words("\n".join(part(run.stdout, "CANDIDATES"))) == [
            ["EDGE", "STATE", "CAUSE", "ADMIN", "DISTANCE", "KM"],
            ["fra1", "up", "ok", "active", "423.6"],
            ["nyc1", "down", "refused", "active", "-"]]


def test_explain_of_a_name_that_is_not_steered(tmp_path):
    plain = {key: EXPLANATION[key] for key in ("name", "type", "client", "rcode", "answer")}
    server = Answering(tmp_path / "s", {"result": plain})
    run = ctl("explain", tmp_path / "s", "www.example.com", "A", "192.0.2.0/24")
    server.done()
    assert run.stdout == ("www.example.com. A for 192.0.2.0/24: NOERROR\n"
                          "  www.example.com. 30 A 203.0.113.10\n"
                          "not a steered name: the answer is the same for every client\n")


MISLEADING = "zone \x1b[2Jfile \u202ecod.\u009b31m\nok\x7f\u200b.zone"
SHOWN = r"zone \u001b[2Jfile \u202ecod.\u009b31m\u000aok\u007f\u200b.zone"


@pytest.mark.parametrize("command,lines,shown", [
    (["status"], [{"error": MISLEADING}], f"perigeectl: {SHOWN}"),
    (["reload"], [{"progress": MISLEADING}, {"error": "no", "errors": [MISLEADING]}], SHOWN),
    (["reload"], [{"result": {"warnings": [MISLEADING]}}], SHOWN),
    (["status"], [{"result": {"file": MISLEADING}}], f"file  {SHOWN}"),
    (["status"], [{"result": {MISLEADING: "file"}}], f"{SHOWN}  file"),
    (["status"], [{"result": {"zones": {MISLEADING: {"a": 1}}}}], f"{SHOWN}  1"),
    (["status"], [{"result": {"zones": {"a": {MISLEADING: 1}}}}], None),
    (["status"], [{"result": {MISLEADING: {"a": {"b": MISLEADING}}}}], f"a     {SHOWN}"),
    (["log"], [{"result": {"levels": [{"module": MISLEADING, "level": MISLEADING}]}}],
     f"{SHOWN}  {SHOWN}"),
    (["status", "--json"], [{"result": {"file": "\u202e\u009b"}}], r'"file": "\u202E\u009B"'),
])
def test_text_of_a_daemon_was_printed_raw(tmp_path, command, lines, shown):
    """A file name could clear the screen, and turn a message round."""
    server = Answering(tmp_path / "s", *lines)
    run = ctl(*command, tmp_path / "s")
    server.done()
    said = run.stdout + run.stderr
    assert not set(said) & set("\x1b\u202e\u009b\x7f\u200b")
    assert shown is None or shown in said


def test_a_daemon_that_refuses(tmp_path):
    server = Answering(tmp_path / "s", {"error": "'x' is not a record type"})
    run = ctl("explain", tmp_path / "s", "www.example.com", "x", "192.0.2.1")
    server.done()
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == "perigeectl: 'x' is not a record type\n"


@pytest.mark.parametrize("answer", [
    5, None, "reloaded", [1], {}, {"reloaded": True}, {"error": None}, {"progress": 5}])
@pytest.mark.parametrize("command", [["reload"], ["status"], ["status", "--json"], ["log"]])
def test_an_answer_that_is_none_is_no_success(tmp_path, command, answer):
    """"reloaded" was printed, or nothing, and 0 returned."""
    server = Answering(tmp_path / "s", answer)
    run = ctl(*command, tmp_path / "s")
    server.done()
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == (f"perigeectl: {tmp_path}/s: this is no daemon of Perigee, or one of "
                          "another version: its answer is not understood\n")


def test_an_answer_without_an_end_is_no_success(tmp_path):
    server = Answering(tmp_path / "s", {"progress": "reading"})
    run = ctl("reload", tmp_path / "s")
    server.done()
    assert (run.returncode, run.stdout) == (1, "reading\n")
    assert run.stderr == f"perigeectl: {tmp_path}/s: closed without an answer\n"


def test_no_daemon_and_no_node(fleet, tmp_path):
    run = ctl("status", tmp_path / "none.sock")
    assert (run.returncode, run.stderr) == (1, (
        f"perigeectl: cannot connect to {tmp_path}/none.sock: No such file or directory: "
        "is the daemon running?\n"))
    run = ctl("status", "-c", fleet, "far1")
    assert run.returncode == 1
    assert 'there is no node "far1"; did you mean "fra1"?' in run.stderr
