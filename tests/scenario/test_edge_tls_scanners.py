# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge as those see it who look for weaknesses: testssl.sh (of its checks those that need
hellos of its own; all take minutes) and sslscan, which tries all suites and groups; and as clients
that people have see it, of TLS 1.2 and 1.3."""

import json
import re
import shutil
import subprocess

import pytest

import perigee
from edge_fleet import HOST, Edge, Responses

SUITES_12 = {f"ECDHE-{key}-{cipher}" for key in ("ECDSA", "RSA")
             for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")}
SUITES_13 = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
# Protocols, Heartbleed, CCS injection, Ticketbleed, ROBOT, renegotiation, CRIME, fallback, POODLE.
CHECKS = ["-p", "-H", "-I", "-T", "-BB", "-R", "-C", "-Z", "-O"]


@pytest.fixture
def edge(processes, tmp_path, authority, both_certificates, origin):
    edge = Edge(tmp_path, authority, {"www": ([HOST], both_certificates, {"/": "app"})},
                {"app": f'servers: ["127.0.0.1:{origin.port}"]'})
    processes.append(edge)
    return edge


def run(*argv, **more):
    return subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False, **more)


def still_serves(edge):
    with edge.connect() as s:
        s.sendall(f"GET /bytes/5 HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        assert Responses(s).response()[0] == 200
    edge.wait_counter("edge_handshakes_active", 0)


def test_testssl_finds_no_weakness(edge, tmp_path):
    program = shutil.which("testssl") or shutil.which("testssl.sh")
    if not program:
        pytest.skip("apt-get install testssl.sh")
    found = tmp_path / "found.json"
    said = run(program, "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "--ip",
               "127.0.0.1", "--jsonfile", found, *CHECKS, f"{HOST}:{edge.port}",
               timeout=10 * perigee.PATIENCE, cwd=tmp_path)
    findings = {f["id"]: f for f in json.loads(found.read_text())}
    # What is said of the OpenSSL that testssl runs by is not about us.
    weak = [f for f in findings.values()
            if f["severity"] not in ("OK", "INFO") and f["id"] != "engine_problem"]
    assert weak == [], said.stdout
    for version in "SSLv2", "SSLv3", "TLS1", "TLS1_1":
        assert findings[version]["finding"] == "not offered"
    assert findings["TLS1_2"]["finding"] == "offered"
    assert findings["TLS1_3"]["finding"].startswith("offered")
    for check in "heartbleed", "CCS", "ticketbleed", "ROBOT", "secure_client_renego", "CRIME_TLS":
        assert findings[check]["finding"].startswith("not vulnerable"), check
    assert findings["secure_renego"]["finding"] == "supported"
    assert findings["ALPN_HTTP2"]["finding"] == "h2"
    still_serves(edge)


def test_sslscan_finds_what_is_meant_to_be_there(edge):
    if not shutil.which("sslscan"):
        pytest.skip("apt-get install sslscan")
    said = run("sslscan", "--no-colour", f"--sni-name={HOST}", f"127.0.0.1:{edge.port}",
               timeout=10 * perigee.PATIENCE).stdout
    enabled = dict(re.findall(r"^((?:SSL|TLS)v\S+) +(enabled|disabled)$", said, re.MULTILINE))
    assert enabled == {"SSLv2": "disabled", "SSLv3": "disabled", "TLSv1.0": "disabled",
                       "TLSv1.1": "disabled", "TLSv1.2": "enabled", "TLSv1.3": "enabled"}
    suites = re.findall(r"^(?:Preferred|Accepted) +(\S+) +\d+ bits +(\S+)", said, re.MULTILINE)
    assert {s for v, s in suites if v == "TLSv1.2"} == SUITES_12
    assert {s for v, s in suites if v == "TLSv1.3"} == SUITES_13
    # The edge's order counts, not the client's.
    assert suites[0][1] == "TLS_AES_128_GCM_SHA256"
    groups = re.findall(r"^(TLSv1\.[23]) +\d+ bits +(\w+)", said.split("Exchange Group")[1],
                        re.MULTILINE)
    for version in "TLSv1.2", "TLSv1.3":
        assert {g for v, g in groups if v == version} == {"x25519", "secp256r1", "secp384r1"}
    assert "Session renegotiation not supported" in said
    assert "Server supports TLS Fallback SCSV" in said
    assert not re.search(r"[^t] vulnerable to heartbleed", said)
    still_serves(edge)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_openssl_connects(edge, version):
    said = run("openssl", "s_client", "-connect", f"127.0.0.1:{edge.port}", "-servername", HOST,
               "-CAfile", edge.authority.certificate, "-verify_return_error", "-verify_hostname",
               HOST, f"-tls{version.replace('.', '_')}", "-alpn", "http/1.1", "-brief", input="",
               timeout=perigee.PATIENCE)
    assert said.returncode == 0
    assert f"Protocol version: TLSv{version}" in said.stderr
    assert "Verification: OK" in said.stderr and f"Verified peername: {HOST}" in said.stderr
    # OpenSSL 3.0 says "ECDSA", 3.5 "ecdsa_secp256r1_sha256".
    assert "ecdsa" in said.stderr.lower() and "X25519" in said.stderr


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_gnutls_cli_connects(edge, version):
    said = run("gnutls-cli", "--x509cafile", edge.authority.certificate, "--sni-hostname", HOST,
               "--verify-hostname", HOST, "--alpn", "http/1.1", "--priority",
               f"NORMAL:-VERS-ALL:+VERS-TLS{version}", "-p", str(edge.port), "127.0.0.1",
               input=f"GET /bytes/5 HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n",
               timeout=perigee.PATIENCE).stdout
    assert "Status: The certificate is trusted." in said
    assert re.search(rf"Description: \(TLS{version}.*X25519.*ECDSA", said)
    assert "Application protocol: http/1.1" in said and "HTTP/1.1 200 OK" in said
    assert "Peer has closed the GnuTLS connection" in said


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_openssl_resumes_over_http2(edge, tmp_path, version):
    session = tmp_path / "session"

    def said(*more):
        # Tickets of TLS 1.3 come after the handshake: it is waited for the end of the connection,
        # which is what the edge makes of a line that is no preface.
        return run("openssl", "s_client", "-connect", f"127.0.0.1:{edge.port}", "-servername", HOST,
                   "-CAfile", edge.authority.certificate, "-verify_return_error", "-alpn", "h2",
                   f"-tls{version.replace('.', '_')}", "-ign_eof", *more,
                   input="no preface, but as long as one\n", timeout=perigee.PATIENCE).stdout

    for more, how in (("-sess_out", session), "New"), (("-sess_in", session), "Reused"):
        text = said(*more)
        assert f"{how}, TLSv{version}" in text and "ALPN protocol: h2" in text
    assert edge.settled()["edge_handshakes_resumed_total"] == 1


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_gnutls_cli_resumes(edge, version, protocol):
    said = run("gnutls-cli", "--x509cafile", edge.authority.certificate, "--sni-hostname", HOST,
               "--verify-hostname", HOST, "--alpn", protocol, "--priority",
               f"NORMAL:-VERS-ALL:+VERS-TLS{version}", "--resume", "--waitresumption", "-p",
               str(edge.port), "127.0.0.1", input="", timeout=perigee.PATIENCE).stdout
    assert "*** This is a resumed session" in said
    assert said.count(f"Application protocol: {protocol}") == 2
    edge.wait_counter("edge_handshakes_resumed_total", 1)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_curl_connects_and_resumes(edge, version):
    """Two requests over one connection of HTTP/2; then two that each end theirs. curl asks for no
    tickets of TLS 1.2 (SSL_OP_NO_TICKET), and nothing else is resumed by."""
    url = edge.url("/bytes/5")
    limit = ["--tlsv1.2", "--tls-max", version]
    said = edge.curl(*limit, "-o", "/dev/null", "-o", "/dev/null", "-w", "%{http_version} %{http_code} ",
                     url, url, http2=True).stdout
    assert said.split() == ["2", "200"] * 2
    said = edge.curl(*limit, "-H", "Connection: close", "-o", "/dev/null", "-o", "/dev/null", "-w",
                     "%{http_version} %{http_code} ", url, url).stdout
    assert said.split() == ["1.1", "200"] * 2
    lines = edge.access_log(4)
    assert [line["tls"] for line in lines] == [f"TLS{version}"] * 4
    assert not any(line["tls_resumed"] for line in lines[:3])
    assert lines[3]["tls_resumed"] or version == "1.2"
