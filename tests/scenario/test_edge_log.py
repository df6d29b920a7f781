# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: the access log in its formats, to its outputs, each with a real receiver."""

import json
import os
import re
import socket
import struct
import subprocess
import time
from pathlib import Path

import pytest

import perigee
import private_etc
from edge_fleet import HOST, Responses, read_head
from mmdb import UINT32, build_networks

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
JOURNALD = Path("/usr/lib/systemd/systemd-journald")
needs_namespaces = pytest.mark.skipif(not private_etc.is_allowed(), reason="needs mount namespaces")


def answer(s):
    """Any number of requests."""
    while read_head(s):
        s.sendall(ANSWER)


@pytest.fixture
def edge_with(make_edge, scripted_origin):
    """edge_with(log=..., access_log=...): an edge whose access log has these options."""
    def make(log="", **more):
        return make_edge({"app": scripted_origin(answer).origin()}, routes={"/app": ("app", "name: api")},
                         log=log,
                         **more)
    return make


def lines(edge, n):
    perigee.wait_for(lambda: edge.access_log_path.exists()
                     and edge.access_log_path.read_text().count("\n") >= n, f"{n} lines")
    return edge.access_log_path.read_text().splitlines()


def ask(edge, n, path="/app"):
    with edge.connect() as s:
        responses = Responses(s)
        for i in range(n):
            s.sendall(f"GET {path}?{i} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            responses.response()


# Formats


def test_json(edge_with):
    edge = edge_with()
    edge.curl(edge.url("/app/a?b=c"), edge.url("/app"))
    first, second = map(json.loads, lines(edge, 2))
    assert first["target"] == "/app/a?b=c" and first["end"] == "done"
    assert first["route"] == "api" and first["origin"] == "app"
    assert first["tls"] == "TLS1.3" and first["tls_suite"].startswith("TLS_")
    assert first["tls_group"] and first["sni"] == HOST and first["tls_resumed"] is False
    assert first["handshake_us"] > 0
    assert not first["reused"] and second["reused"]
    assert second["connect_us"] == 0 and "retries" not in second
    for line in (first, second):
        spent = line["queue_us"] + line["connect_us"] + line["origin_us"]
        assert 0 < spent <= line["first_byte_us"] + 2
        assert line["first_byte_us"] <= line["duration_us"]


def test_combined(edge_with):
    edge = edge_with("format: combined")
    edge.curl("-A", 'agent "x"', "-e", "https://r.example/\\", edge.url("/app?a=b"))
    line, = lines(edge, 1)
    assert re.fullmatch(
        r'127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET /app\?a=b '
        r'HTTP/1\.1" 200 2 "https://r\.example/\\\\" "agent \\"x\\""', line)


def test_own_format(edge_with):
    edge = edge_with('format: "{client.ip} {{{method}}} {status} {bytes} {origin} {server} {reused} '
                     '{end} {field.X-A} {response.Via} {protocol} <{cookie.c}>"')
    edge.curl("-H", "X-A: 1\xe4", "-b", "c=d e", edge.url("/app"))
    edge.curl(edge.url("/"))
    first, second = lines(edge, 2)
    server = re.search(r"127\.0\.0\.1:\d+", first).group()
    assert first == (f"127.0.0.1 {{GET}}}} 200 2 app {server} no done 1\\xc3\\xa4 1.1 perigee-fra1 "
                     "HTTP/1.1 <d e>")
    assert second.startswith("127.0.0.1 {GET}} 404 ")


def test_where_clients_are_and_what_refused_them(edge_with, tmp_path):
    database = tmp_path / "places.mmdb"
    database.write_bytes(build_networks({"127.0.0.0/8": {
        "country": {"iso_code": "DE"}, "continent": {"code": "EU"},
        "autonomous_system_number": (UINT32, 64500)}}))
    edge = edge_with(
        'format: "{client.country} {client.continent} {client.asn} {status} {refused_by} {end}"',
        http="limits: {name: few, rate: 1/h, when: {methods: POST}}",
        site=["access: {deny: {networks: 127.0.0.9/32}}"], top=[f"geo: {{database: {database}}}"])
    edge.curl("-d", "", edge.url("/app"))
    refused = edge.curl("-i", "-d", "", edge.url("/app")).stdout
    assert 'proxy-status: perigee-fra1; error=http_request_denied; details="client-limited"' in \
        refused.lower()
    edge.curl("--interface", "127.0.0.9", edge.url("/app"))
    assert lines(edge, 3) == [
        "DE EU 64500 200  done", "DE EU 64500 429 few client-limited",
        "DE EU 64500 403 site.access client-denied"]


def test_fields_of_rules_after_the_rules_are_gone(make_edge, scripted_origin):
    """A tunnel lets the configuration go, which the fields of its response pointed to."""
    def script(s):
        read_head(s)
        s.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                  b"Upgrade: lines\r\nX-Origin: its\r\n\r\n")
        while s.recv(4096):
            pass

    value = "constant" * 20
    edge = make_edge({"app": scripted_origin(script).origin()},
                     routes={"/": ("app", f'response_fields: [{{name: X-Rule, value: {value}}}]')},
                     log='format: "{response.X-Rule} {response.X-Origin} {response.X-None}|"')
    with edge.connect() as s:
        s.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\n"
                  "Upgrade: lines\r\n\r\n".encode())
        assert Responses(s).head()[0] == 101
        for i in range(3):
            edge.fleet.write_text(edge.fleet.read_text().replace(
                value if i == 0 else f"another{i - 1}", f"another{i}"))
            edge.reload()
            edge.wait_counter("edge_reloads_total", i + 1)
    assert lines(edge, 1)[0] == f"{value} its |"


def test_format_changes_on_reload(edge_with):
    edge = edge_with()
    edge.curl(edge.url("/app"))
    json.loads(lines(edge, 1)[0])
    edge.fleet.write_text(edge.fleet.read_text().replace(
        "access_log: {", 'access_log: {format: "now {target}", '))
    edge.reload()
    edge.wait_counter("edge_reloads_total", 1)
    edge.curl(edge.url("/app"))
    assert lines(edge, 2)[1] == "now /app"


# Samples


def test_sample_and_failures(edge_with):
    edge = edge_with("sample: 0%")
    ask(edge, 20)
    ask(edge, 3, "/none")
    edge.curl("-H", "CDN-Loop: perigee-fra1, perigee-fra1", edge.url("/app"))
    line, = map(json.loads, lines(edge, 1))
    assert line["status"] == 508
    assert edge.settled()["edge_access_log_unsampled_total"] == 23


def test_failures_may_be_sampled_too(edge_with):
    edge = edge_with("sample: 50%, failures: sampled")
    ask(edge, 200)
    left = edge.settled()["edge_access_log_unsampled_total"]
    assert 50 < left < 150
    assert len(lines(edge, 200 - left)) == 200 - left


# Syslog


class Receiver:
    """Datagrams, at a Unix socket or by UDP."""

    def __init__(self, path=None):
        self.socket = socket.socket(socket.AF_UNIX if path else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(str(path) if path else ("127.0.0.1", 0))
        self.socket.settimeout(perigee.PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def next(self):
        return self.socket.recv(65536).decode()


SYSLOG = re.compile(r"<(\d+)>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (\S+) perigee-edge (\d+) "
                    r"access - (\{.*\})")


def check_syslog(edge, text, priority):
    """What of RFC 5424 stands before the line; the line."""
    got, _, host, pid, message = SYSLOG.fullmatch(text).groups()
    assert (int(got), host, int(pid)) == (priority, socket.gethostname(), edge.pid)
    return json.loads(message)


@pytest.mark.parametrize("udp", [False, True])
def test_syslog(edge_with, tmp_path, udp):
    path = None if udp else tmp_path / "log.sock"
    with Receiver(path) as receiver:
        to = f"127.0.0.1:{receiver.socket.getsockname()[1]}" if udp else path
        edge = edge_with(f"syslog: {{receiver: '{to}', facility: local3}}", access_log="syslog")
        edge.curl(edge.url("/app"))
        # local3 and "info".
        assert check_syslog(edge, receiver.next(), 19 * 8 + 6)["target"] == "/app"
        edge.curl("-H", "CDN-Loop: perigee-fra1, perigee-fra1", edge.url("/app"))
        assert check_syslog(edge, receiver.next(), 19 * 8 + 4)["status"] == 508
        assert edge.settled()["edge_access_log_dropped_total"] == 0


def test_syslog_whose_receiver_goes_and_comes_back(edge_with, tmp_path):
    path = tmp_path / "log.sock"
    # It is not there yet, which is no reason not to start.
    edge = edge_with(f"syslog: {{receiver: {path}}}", access_log="syslog")
    edge.curl(edge.url("/app/1"))
    edge.wait_log("cannot write to .*log.sock: ")
    with Receiver(path) as receiver:
        assert check_syslog(edge, receiver.next(), 16 * 8 + 6)["target"] == "/app/1"
    path.unlink()
    edge.curl(edge.url("/app/2"))
    edge.wait_log("log.sock: nobody reads it")
    with Receiver(path) as receiver:
        assert check_syslog(edge, receiver.next(), 16 * 8 + 6)["target"] == "/app/2"
    assert edge.settled()["edge_access_log_dropped_total"] == 0


def test_syslog_that_does_not_read_holds_up_nobody(edge_with, tmp_path):
    """Requests go on, lines are lost and counted; and so does a stop."""
    with Receiver(tmp_path / "log.sock") as receiver:
        edge = edge_with(f"syslog: {{receiver: {tmp_path / 'log.sock'}}}", access_log="syslog")
        n = 0
        while edge.counters()["edge_access_log_dropped_total"] == 0:
            ask(edge, 1000, "/none/" + 1000 * "x")
            n += 1000
            assert n < 100000
        began = time.monotonic()
        edge.curl(edge.url("/app"))
        assert time.monotonic() - began < 5
        edge.stop()
        assert re.search("did not take the last [0-9]+ lines", edge.log())
        check_syslog(edge, receiver.next(), 16 * 8 + 6)


# The journal


@pytest.fixture
def own_run(tmp_path):
    """The words before a command that is to see a /run/systemd/journal of its own, and what it is."""
    journal = tmp_path / "journal"
    journal.mkdir()
    os.makedirs("/run/systemd/journal", exist_ok=True)
    enter = 'mount --bind "$0" /run/systemd/journal && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", enter, str(journal)], journal


def fields_of(entry):
    """Of the journal's native protocol: "NAME=value", or a name, a length and a value."""
    fields = {}
    while entry:
        name, _, rest = entry.partition(b"\n")
        if b"=" in name:
            key, _, value = name.partition(b"=")
            entry = rest
        else:
            n, = struct.unpack("<Q", rest[:8])
            key, value, entry = name, rest[8:8 + n], rest[9 + n:]
        fields[key.decode()] = value.decode()
    return fields


@needs_namespaces
def test_journal(edge_with, own_run):
    inside, journal = own_run
    with Receiver(journal / "socket") as receiver:
        edge = edge_with(access_log="journald", inside=inside)
        edge.curl(edge.url("/app?a=b"))
        fields = fields_of(receiver.socket.recv(65536))
        message = json.loads(fields.pop("MESSAGE"))
        assert message["target"] == "/app?a=b"
        assert int(fields.pop("PERIGEE_DURATION_US")) == message["duration_us"]
        assert fields.pop("PERIGEE_SERVER") == message["server"]
        assert fields == {
            "PRIORITY": "6", "SYSLOG_IDENTIFIER": "perigee-edge", "PERIGEE_NODE": "fra1",
            "PERIGEE_CLIENT": "127.0.0.1", "PERIGEE_METHOD": "GET", "PERIGEE_HOST": f"{HOST}:{edge.port}",
            "PERIGEE_TARGET": "/app?a=b", "PERIGEE_STATUS": "200", "PERIGEE_BYTES": "2",
            "PERIGEE_SITE": "www", "PERIGEE_ROUTE": "api", "PERIGEE_ORIGIN": "app",
            "PERIGEE_END": "done"}


@needs_namespaces
def test_journal_that_is_not_there(edge_with, own_run):
    """The library says that all is well then."""
    inside, journal = own_run
    edge = edge_with(access_log="journald", inside=inside)
    edge.curl(edge.url("/app"))
    edge.wait_log("cannot write to the journal: ")
    with Receiver(journal / "socket") as receiver:
        assert fields_of(receiver.socket.recv(65536))["PERIGEE_TARGET"] == "/app"


@needs_namespaces
@pytest.mark.skipif(not JOURNALD.exists(), reason="needs systemd-journald")
def test_journal_of_systemd(edge_with, tmp_path, processes):
    """The daemon itself, with a /run and a /var/log of its own."""
    for name in ("run", "log", "log/journal"):
        (tmp_path / name).mkdir()
    enter = ('mount --bind "$0/run" /run && mount --bind "$0/log" /var/log && '
             'mkdir -p /run/systemd/journal /run/log && exec "$@"')
    # Of both, in one namespace: the edge is started from inside of the daemon's.
    daemon = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", enter, str(tmp_path), str(JOURNALD)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        perigee.wait_for(lambda: daemon.poll() is not None
                         or (tmp_path / "run/systemd/journal/socket").exists(), "journald")
        if daemon.poll() is not None:
            pytest.skip("systemd-journald does not start here")
        enter = ["nsenter", "--mount", "--target", str(daemon.pid)]
        edge = edge_with(access_log="journald", inside=enter)
        edge.curl(edge.url("/app?a=b"))

        def entries():
            out = subprocess.run([*enter, "journalctl", "-o", "json", "PERIGEE_NODE=fra1"],
                                 capture_output=True, text=True, check=False).stdout
            return [json.loads(line) for line in out.splitlines()]

        entry, = perigee.wait_for(entries, "an entry")
        assert entry["PERIGEE_TARGET"] == "/app?a=b" and entry["_PID"] == str(edge.pid)
    finally:
        daemon.terminate()
        daemon.wait()
