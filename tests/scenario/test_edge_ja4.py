# SPDX-License-Identifier: GPL-3.0-or-later
"""JA4 fingerprints of real clients, compared with what tests/support/ja4.py says of the hello that the
same client sends to a trap; and what they are good for: the log, a field, access."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess

import pytest

import perigee
from edge_fleet import HOST, read_head
from ja4 import HelloTrap, ja4
from tls_frames import ACCESS_DENIED, Client, Refused

CLIENTS = {
    "openssl": lambda port: ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername",
                             HOST, "-alpn", "http/1.1", "-ign_eof"],
    "openssl of TLS 1.2": lambda port: [
        "openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2", "-servername", HOST,
        "-ign_eof"],
    "gnutls": lambda port: ["gnutls-cli", "--insecure", "--logfile", "/dev/null", "--sni-hostname",
                            HOST, "--alpn", "http/1.1", "-p", str(port), "127.0.0.1"],
    "curl": lambda port: ["curl", "-q", "-sSk", "--resolve", f"{HOST}:{port}:127.0.0.1",
                          f"https://{HOST}:{port}/bytes/5"],
}
REQUEST = f"GET /bytes/5 HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"


def chromium(port, directory):
    return ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--ignore-certificate-errors", f"--user-data-dir={directory}/profile",
            f"--host-resolver-rules=MAP {HOST}:{port} 127.0.0.1:{port}, MAP * ~NOTFOUND",
            "--dump-dom", f"https://{HOST}:{port}/bytes/5"]


def run(name, port):
    return subprocess.Popen(CLIENTS[name](port), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, text=True)


def expected(name):
    """What the client's first words amount to."""
    trap = HelloTrap()
    with run(name, trap.port) as client:
        wire = trap.catch(perigee.PATIENCE)
        client.kill()
    return ja4(wire)


def visit(name, edge):
    with run(name, edge.port) as client:
        client.communicate(REQUEST, timeout=perigee.PATIENCE)


@pytest.fixture
def edge(make_edge, origin):
    def make(http="", **more):
        return make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"]'}, http=http, **more)

    return make


@pytest.mark.parametrize("name", list(CLIENTS))
def test_log_shows_what_is_computed_elsewhere(edge, name):
    if not shutil.which(name.split()[0].replace("gnutls", "gnutls-cli")):
        pytest.skip(f"{name} is missing")
    edge = edge()
    visit(name, edge)
    line = edge.access_log(1)[0]
    assert line["status"] == 200 and line["tls_ja4"] == expected(name)


@contextlib.contextmanager
def browser(port, directory):
    """In a session of its own, with all the processes that it starts."""
    process = subprocess.Popen(chromium(port, directory), stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               start_new_session=True, env={**os.environ, "HOME": str(directory)})
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_chromium_whose_extensions_come_in_any_order(edge, tmp_path):
    if not shutil.which("chromium"):
        pytest.skip("apt-get install chromium")
    edge, trap = edge(), HelloTrap()
    with browser(trap.port, tmp_path / "trapped"):
        wire = trap.catch(3 * perigee.PATIENCE)
    with browser(edge.port, tmp_path / "served"):
        line = edge.access_log(1)[0]
    assert line["status"] == 200 and line["tls_ja4"] == ja4(wire)


def test_field_to_the_origin(make_edge, scripted_origin):
    heads = []

    def script(connection):
        heads.append(read_head(connection))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    origins = {"app": scripted_origin(script).origin("")}
    edge = make_edge(origins, log="format: combined", routes=[
        "path: /, origin: app, request_fields: [{name: X-JA4, value: '{tls.ja4}'}]"])
    visit("openssl", edge)
    assert f"X-JA4: {expected('openssl')}\r\n".encode() in heads[0]


def test_denied_before_the_handshake(edge):
    edge = edge(f"access: [{{deny: {{ja4: [{expected('openssl')}]}}}}]")
    visit("openssl", edge)
    edge.wait_counter("edge_handshake_failures_denied_total", 1)
    visit("curl", edge)
    edge.wait_counter("edge_responses_2xx_total", 1)
    c = edge.counters()
    assert c["edge_handshakes_total"] == 1 and c["edge_requests_total"] == 1


def test_denied_client_is_told_so(edge):
    trap = HelloTrap()
    s = socket.create_connection(("127.0.0.1", trap.port))
    with s:
        Client(s).hello()
        fingerprint = ja4(trap.catch(perigee.PATIENCE))
    with edge(f"access: [{{deny: {{ja4: [{fingerprint}]}}}}]").connect_tcp() as s:
        client = Client(s)
        client.hello()
        with pytest.raises(Refused) as refused:
            client.record()
    assert refused.value.alert == ACCESS_DENIED


def test_allowed_alone_by_http_access(edge):
    """What comes after an item that goes by it is not decided at once, and still is."""
    edge = edge(f"access: [{{allow: {{ja4: [{expected('openssl')}]}}}}, "
                '{deny: {networks: [0.0.0.0/0]}}]')
    visit("openssl", edge)
    edge.wait_counter("edge_responses_2xx_total", 1)
    visit("curl", edge)
    edge.wait_counter("edge_handshake_failures_denied_total", 1)
    c = edge.counters()
    assert c["edge_connections_denied_total"] == 0 and c["edge_handshakes_total"] == 1


def test_denied_by_a_route(edge):
    """Which is found only with the request: it is answered."""
    edge = edge(routes=[f"path: /, origin: app, access: [{{deny: {{ja4: [{expected('curl')}]}}}}]"])
    visit("curl", edge)
    line = edge.access_log(1)[0]
    assert line["status"] == 403 and line["refused_by"] == "route.access"
    assert edge.settled()["edge_denied_ja4_total"] == 1


def test_without_tls_there_is_none(edge):
    edge = edge("plain: serve, access: [{allow: {ja4: [t13d1516h2_8daaf6152771_e5627efa2ab1]}}, "
                "{deny: {networks: [0.0.0.0/0]}}]", plain=True)
    url = f"http://{HOST}:{edge.plain_port}/"
    said = edge.curl("--resolve", f"{HOST}:{edge.plain_port}:127.0.0.1", "-o", "/dev/null", "-w",
                     "%{http_code}", url)
    assert said.stdout == "403"
    assert "tls_ja4" not in json.dumps(edge.access_log(1)[0])
