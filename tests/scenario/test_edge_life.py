# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: TLS, certificates, limits, reload and stop, with real clients."""

import re
import socket
import subprocess

import pytest

import perigee
from edge_fleet import HOST, Edge, Responses, ScriptedOrigin, read_to_end


@pytest.fixture
def make_edge(processes, tmp_path, authority, certificate, origin):
    def make(sites=None, http="", origins=None, **more):
        sites = sites or {"www": ([HOST], [certificate], {"/": "app"})}
        origins = origins or {"app": f'servers: ["127.0.0.1:{origin.port}"]'}
        edge = Edge(tmp_path, authority, sites, origins, http, **more)
        edge.origins = origins
        processes.append(edge)
        return edge

    return make


def s_client(edge, *args, host=HOST, data=""):
    return subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{edge.port}", "-servername", host,
         "-CAfile", edge.authority.certificate, "-verify_return_error", *map(str, args)],
        input=data, capture_output=True, text=True, errors="replace", timeout=60, check=False,
    )


def handshake(edge, *args, host=HOST):
    """What `openssl s_client -brief` says, after a handshake and nothing else."""
    got = s_client(edge, "-brief", *args, host=host)
    return got.stdout + got.stderr


def test_versions_and_alpn(make_edge):
    edge = make_edge()
    assert "TLSv1.3" in handshake(edge, "-tls1_3")
    assert "TLSv1.2" in handshake(edge, "-tls1_2")
    assert "ALPN protocol: h2" in s_client(edge, "-alpn", "http/1.1,h2").stdout
    assert "ALPN protocol: http/1.1" in s_client(edge, "-alpn", "http/1.1").stdout
    assert "No ALPN" in s_client(edge).stdout
    refused = s_client(edge, "-alpn", "h9")
    assert "no application protocol" in refused.stderr and refused.returncode != 0
    assert edge.curl("--tls-max", "1.2", edge.url("/")).returncode == 0
    for old in ("-tls1_1", "-tls1"):
        assert "CONNECTION ESTABLISHED" not in handshake(
            edge, old, "-cipher", "ALL:@SECLEVEL=0")
    edge.wait_counter("edge_connections_active", 0)
    c = edge.settled()
    assert c["edge_handshakes_total"] == 6 and c["edge_handshake_failures_total"] == 3
    assert c["edge_connection_end_client_handshake_failed_total"] == 3


def test_protocols_are_those_of_the_configuration(make_edge):
    edge = make_edge(http="protocols: [http/1.1]")
    assert "ALPN protocol: http/1.1" in s_client(edge, "-alpn", "h2,http/1.1").stdout
    assert "no application protocol" in s_client(edge, "-alpn", "h2").stderr


def test_gnutls_client(make_edge):
    edge = make_edge()
    got = subprocess.run(
        ["gnutls-cli", "--x509cafile", edge.authority.certificate, "--sni-hostname", HOST,
         "--verify-hostname", HOST, "-p", str(edge.port), "127.0.0.1"],
        input=f"GET /bytes/5 HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode(),
        capture_output=True, timeout=60, check=False,
    )
    assert b"HTTP/1.1 200 OK" in got.stdout, got
    edge.wait_counter("edge_end_done_total", 1)


@pytest.mark.parametrize("version", ["-tls1_3", "-tls1_2"])
def test_resumption(make_edge, tmp_path, version):
    edge = make_edge()
    request = f"GET /bytes/5 HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
    session = tmp_path / "session"
    first = s_client(edge, version, "-sess_out", session, "-ign_eof", data=request)
    assert "New, TLS" in first.stdout and "HTTP/1.1 200" in first.stdout
    second = s_client(edge, version, "-sess_in", session, "-ign_eof", data=request)
    assert "Reused, TLS" in second.stdout and "HTTP/1.1 200" in second.stdout
    # Tickets outlive a reload.
    edge.reload()
    edge.wait_counter("edge_reloads_total", 1)
    third = s_client(edge, version, "-sess_in", session, "-ign_eof", data=request)
    assert "Reused, TLS" in third.stdout
    c = edge.settled()
    assert c["edge_handshakes_total"] == 3 and c["edge_handshakes_resumed_total"] == 2


def test_certificate_by_name_and_key_type(make_edge, authority):
    ecdsa = authority.issue("a-ecdsa", ["a.test", "*.a.test"])
    rsa = authority.issue("a-rsa", ["a.test", "*.a.test"], kind="rsa")
    exact = authority.issue("exact", ["exact.a.test"])
    edge = make_edge({
        "a": (["a.test", "*.a.test"], [ecdsa, rsa], {"/": "app"}),
        "b": (["exact.a.test"], [exact], {"/": "app"}),
    })

    def key(*args, host):
        got = s_client(edge, *args, host=host)
        # OpenSSL 3.0 says "CN = a" and "ECDSA", 3.5 "CN=a" and "ecdsa_secp256r1_sha256".
        subject = re.search(r"subject=CN ?= ?(\S+)", got.stdout)
        signature = re.search(r"Peer signature type: (\S+)", got.stdout)
        assert subject and signature, got.stdout + got.stderr
        return subject.group(1), re.match(r"ecdsa|rsa", signature.group(1).lower()).group().upper()

    assert key(host="a.test") == ("a.test", "ECDSA")
    assert key("-tls1_2", host="www.a.test") == ("a.test", "ECDSA")
    assert key(host="exact.a.test") == ("exact.a.test", "ECDSA")
    # Nobody's name: the first certificate.
    assert key(host="nobody.test")[0] == "a.test"
    assert key(host="x.y.a.test")[0] == "a.test"
    # Clients that can do RSA only, by what they say of signatures or of ciphers.
    assert key("-tls1_3", "-sigalgs", "rsa_pss_rsae_sha256:RSA+SHA256", host="a.test") == ("a.test", "RSA")
    assert key("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256", host="a.test")[1].startswith("RSA")
    assert key("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256", host="a.test")[1] == "ECDSA"
    names = [c["names"] for c in edge.status()["certificates"]]
    assert names == [["a.test", "*.a.test"]] * 2 + [["exact.a.test"]]
    assert all(re.match(r"20\d\d-\d\d-\d\dT", c["not_after"]) for c in edge.status()["certificates"])


def test_several_workers_share_the_port(make_edge):
    edge = make_edge(workers=4)
    assert edge.status()["workers"] == 4 and len(edge.status()["listeners"]) == 1
    for _ in range(20):
        assert edge.curl(edge.url("/")).returncode == 0
    c = edge.settled()
    assert c["edge_end_done_total"] == 20
    # All workers use the connections of one pool.
    assert c["olink_leases_reused_total"] >= 18


def test_reload_takes_over_and_refuses(make_edge, certificate, authority):
    edge = make_edge()
    site = ([HOST], [certificate], {"/": "app"})
    new = (["new.test"], [authority.issue("new", ["new.test"])], {"/": "app"})
    wider = ([HOST, "example.com"], [certificate], {"/": "app"})
    with edge.connect() as s:
        r = Responses(s)
        s.sendall(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
        assert r.response()[0] == 421
        edge.write({"www": wider, "new": new}, edge.origins)
        edge.reload()
        edge.wait_counter("edge_reloads_total", 1)
        # The connection lives on, with the new routes.
        s.sendall(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
        assert r.response()[0] == 200
    assert edge.curl(edge.url("/", "new.test"), host="new.test").returncode == 0
    # Broken in several places: all are named, and nothing changes.
    edge.write({"www": (["x.test"], [("/nowhere.pem", certificate[1]), (new[1][0][0], certificate[1])],
                        {"/": "app"})}, edge.origins)
    edge.reload()
    edge.wait_counter("edge_reload_failures_total", 1)
    for text in ("/nowhere.pem", "does not match", "perigee.yaml:"):
        edge.wait_log(text)
    edge.fleet.write_text("edges: [")
    edge.reload()
    edge.wait_counter("edge_reload_failures_total", 2)
    assert edge.curl(edge.url("/", "new.test"), host="new.test").returncode == 0
    # What cannot change while running is named.
    edge.write({"www": site}, edge.origins)
    edge.fleet.write_text(edge.fleet.read_text().replace("workers: 1", "workers: 2"))
    edge.reload()
    edge.wait_counter("edge_reloads_total", 2)
    edge.wait_log("workers.* takes a restart")
    assert "421" in edge.curl("-ik", edge.url("/", "new.test"), host="new.test").stdout.splitlines()[0]


def test_reload_waits_for_word_of_new_origins(make_edge, certificate):
    """Requests that a reload sent to an origin not looked up or probed yet were answered 502."""
    edge = make_edge()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(perigee.PATIENCE)
        port = listener.getsockname()[1]
        origins = edge.origins | {
            "new": f'servers: ["127.0.0.1:{port}"], '
                   "health: {check: {kind: http, method: GET, interval: 1h, timeout: 1h}}, all_down: refuse"}
        edge.write({"www": ([HOST], [certificate], {"/": "new"})}, origins)
        edge.reload()
        probe, _ = listener.accept()
        # While nothing is known of the new origin the old one goes on serving.
        assert edge.curl("-f", edge.url("/")).returncode == 0
        assert edge.counters()["edge_reloads_total"] == 0
        with probe:
            assert probe.recv(65536)
            probe.sendall(b"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n")
        edge.wait_counter("edge_reloads_total", 1)
        # And from then on what is known is gone by.
        assert "503" in edge.curl("-i", edge.url("/")).stdout.splitlines()[0]


def test_last_of_several_reloads_wins(make_edge, certificate, authority):
    edge = make_edge()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(perigee.PATIENCE)
        origins = edge.origins | {"new": f'servers: ["127.0.0.1:{silent.getsockname()[1]}"]'}
        edge.write({"www": ([HOST], [certificate], {"/": "new"})}, origins)
        edge.reload()
        probe, _ = silent.accept()
        new = (["new.test"], [authority.issue("last", ["new.test"])], {"/": "app"})
        edge.write({"new": new}, edge.origins)
        edge.reload()
        edge.wait_counter("edge_reloads_total", 1)
        probe.close()
    assert edge.curl("-f", edge.url("/", "new.test"), host="new.test").returncode == 0


def check(fleet, *args):
    return subprocess.run([perigee.EDGE, "--check", "-c", fleet, "-n", "fra1", *args],
                          capture_output=True, text=True, timeout=60, check=False)


def test_check_says_all_that_is_wrong(make_edge, certificate, authority, tmp_path):
    edge = make_edge()
    good = check(edge.fleet)
    assert (good.returncode, good.stdout) == (0, "ok\n")
    (tmp_path / "junk.pem").write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    other = authority.issue("other", ["other.test"])
    edge.write({"www": ([HOST], [("missing.pem", certificate[1]), (tmp_path / "junk.pem", certificate[1]),
                                 (certificate[0], other[1]), (certificate[0], certificate[0])],
                        {"/": "app"})}, edge.origins)
    bad = check(edge.fleet)
    assert bad.returncode == 1 and "ok" not in bad.stdout
    lines = [line for line in bad.stderr.splitlines() if ": warning: " not in line]
    assert len(lines) == 4 and all(re.match(r".*perigee\.yaml:\d+:\d+: ", line) for line in lines)
    assert "missing.pem cannot be read: No such file" in lines[0] and "no certificate" in lines[1]
    assert "does not match" in lines[2] and "not a private key" in lines[3]
    unknown = subprocess.run([perigee.EDGE, "--check", "-c", edge.fleet, "-n", "nowhere"],
                             capture_output=True, text=True, timeout=60, check=False)
    assert unknown.returncode == 1


def test_busy_port_is_an_error(make_edge, tmp_path):
    edge = make_edge()
    blocker = socket.create_server(("127.0.0.1", 0))
    port = blocker.getsockname()[1]
    edge.fleet.write_text(edge.fleet.read_text().replace("127.0.0.1:0", f"127.0.0.1:{port}"))
    got = subprocess.run([perigee.EDGE, "-c", edge.fleet, "-n", "fra1", "--control", tmp_path / "c"],
                         capture_output=True, text=True, timeout=60, check=False)
    assert got.returncode == 1 and f"cannot listen on 127.0.0.1:{port}: Address already in use" in got.stderr
    blocker.close()


def test_graceful_stop_finishes_what_was_begun(make_edge):
    edge = make_edge()
    idle, busy = edge.connect(), edge.connect()
    busy.sendall(f"GET /delay/500 HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    edge.wait_counter("edge_requests_active", 1)
    edge.wait_counter("edge_handshakes_total", 2)
    edge.send_signal(perigee.signal.SIGTERM)
    assert read_to_end(idle) == (b"", True)
    assert edge.status()["state"] == "stopping"
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", edge.port)).close()
    status, fields, _ = (r := Responses(busy)).response()
    assert status == 200 and fields["connection"] == "close" and r.at_end()
    idle.close()
    busy.close()
    assert edge.stop() == 0


def test_stop_cuts_off_in_the_end(make_edge):
    silent = ScriptedOrigin(lambda conn: conn.recv(100000) and conn.recv(1))
    edge = make_edge(http="timeout: {shutdown: 100ms}", origins={"app": silent.origin()})
    with edge.connect() as s:
        s.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        edge.wait_counter("edge_requests_active", 1)
        assert edge.stop() == 0
        assert read_to_end(s)[0] == b""
    assert "shutdown" in edge.access_log_path.read_text()
    silent.close()


def test_drained_edge_called_itself_dead(make_edge):
    """With 503 on its health page, name servers took it to be down, and preferred one that was dead."""
    edge = make_edge()
    assert edge.curl(edge.url("/.well-known/perigee/health")).stdout == "ok\n"
    edge.fleet.write_text(edge.fleet.read_text().replace("workers: 1", "workers: 1, admin: drained"))
    edge.reload()
    edge.wait_counter("edge_reloads_total", 1)
    got = edge.curl("-i", edge.url("/.well-known/perigee/health")).stdout
    assert got.startswith("HTTP/1.1 200 ")
    assert edge.curl(edge.url("/")).returncode == 0
    assert edge.status()["admin"] == "drained"


def test_control_socket_answers_junk_with_an_error(make_edge):
    edge = make_edge()
    assert "error" in perigee.control(edge.control_path, "nonsense")
    assert "error" in perigee.control(edge.control_path, "status more")
