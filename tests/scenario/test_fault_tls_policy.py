# SPDX-License-Identifier: GPL-3.0-or-later
"""What TLS is taken: RFC 9325, on both sides of the edge. Each test is named after what was taken
once, or would be a fault. Alerts are known by their number: their words differ by version."""

import re
import ssl
import subprocess

import pytest

import perigee
from edge_fleet import HOST, Edge, read_head

HANDSHAKE_FAILURE, PROTOCOL_VERSION, NO_APPLICATION_PROTOCOL = 40, 70, 120


@pytest.fixture
def edge(processes, tmp_path, authority, both_certificates, origin):
    edge = Edge(tmp_path, authority, {"www": ([HOST], both_certificates, {"/": "app"})},
                {"app": f'servers: ["127.0.0.1:{origin.port}"]'})
    processes.append(edge)
    return edge


@pytest.fixture
def edge_of_profile(processes, tmp_path, authority, certificate, origin):
    """edge_of_profile(text): with tls.profile."""
    def make(profile):
        edge = Edge(tmp_path, authority, {"www": ([HOST], [certificate], {"/": "app"})},
                    {"app": f'servers: ["127.0.0.1:{origin.port}"]'},
                    top=[f"tls: {{profile: '{profile}'}}"])
        processes.append(edge)
        return edge

    return make


def client(edge, *args):
    return ["openssl", "s_client", "-connect", f"127.0.0.1:{edge.port}", "-servername", HOST, *args]


def handshake(edge, *args):
    return subprocess.run(client(edge, *args), input="", capture_output=True, text=True, timeout=60,
                          check=False)


def refused(edge, *args):
    """The number of the alert that the edge refused the handshake with."""
    before = edge.settled()["edge_handshake_failures_total"]
    said = handshake(edge, *args)
    assert said.returncode != 0
    edge.wait_counter("edge_handshake_failures_total", before + 1)
    return int(re.search(r"alert number (\d+)", said.stderr).group(1))


@pytest.mark.parametrize("ciphers", [
    "AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA",  # static RSA
    "DHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA", "AES256-SHA256",  # CBC
    "ECDHE-ECDSA-NULL-SHA", "AECDH-AES128-SHA",
])
def test_cipher_suite_without_forward_secrecy_or_aead_was_taken(edge, ciphers):
    assert refused(edge, "-tls1_2", "-cipher", f"{ciphers}:@SECLEVEL=0") == HANDSHAKE_FAILURE


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_version_was_taken(edge, version):
    assert refused(edge, version, "-cipher", "ALL:@SECLEVEL=0") == PROTOCOL_VERSION


def test_unknown_protocol_was_taken(edge):
    assert refused(edge, "-alpn", "foo") == NO_APPLICATION_PROTOCOL
    assert refused(edge, "-tls1_2", "-alpn", "foo,bar") == NO_APPLICATION_PROTOCOL
    assert handshake(edge, "-alpn", "foo,http/1.1").returncode == 0


@pytest.mark.parametrize("limits", [
    ("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0", "-sigalgs", "RSA+SHA1"),
    ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256:@SECLEVEL=0", "-sigalgs", "ECDSA+SHA1"),
    ("-tls1_3", "-cipher", "ALL:@SECLEVEL=0", "-groups", "P-521"),
])
def test_weak_signature_or_other_group_was_taken(edge, limits):
    assert refused(edge, *limits) == HANDSHAKE_FAILURE


@pytest.mark.parametrize("ciphers", [
    f"ECDHE-{key}-{cipher}" for key in ("ECDSA", "RSA")
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")])
def test_what_rfc_9325_recommends_is_taken(edge, ciphers):
    said = handshake(edge, "-tls1_2", "-cipher", ciphers)
    assert said.returncode == 0
    assert ciphers in said.stdout and "Compression: NONE" in said.stdout


def test_profile_modern_takes_tls_1_3_only(edge_of_profile):
    edge = edge_of_profile("modern")
    assert refused(edge, "-tls1_2")
    assert "TLSv1.3" in handshake(edge, "-tls1_3").stdout


def test_profile_may_be_a_priority_string(edge_of_profile):
    edge = edge_of_profile("SECURE192:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:-GROUP-ALL:"
                           "+GROUP-SECP521R1")
    assert refused(edge, "-tls1_3")
    assert refused(edge, "-tls1_2", "-groups", "X25519") == HANDSHAKE_FAILURE
    said = handshake(edge, "-tls1_2", "-groups", "P-256:P-521").stdout
    assert "secp521r1" in said and "AES256-GCM-SHA384" in said


def test_profile_takes_effect_on_reload(edge_of_profile):
    edge = edge_of_profile("modern")
    edge.fleet.write_text(edge.fleet.read_text().replace("modern", "intermediate"))
    edge.reload()
    edge.wait_counter("edge_reloads_total", 1)
    assert handshake(edge, "-tls1_2").returncode == 0


def test_renegotiation_was_taken(edge):
    with subprocess.Popen(client(edge, "-tls1_2"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True) as process:
        edge.wait_counter("edge_handshakes_total", 1)
        process.stdin.write("R\n")
        process.stdin.flush()
        said, _ = process.communicate(timeout=60)
    assert "RENEGOTIATING" in said
    edge.wait_counter("edge_connections_active", 0)
    assert edge.counters()["edge_handshakes_total"] == 1


@pytest.mark.parametrize("ciphers", ["AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA256"])
def test_origin_without_forward_secrecy_or_aead_was_taken(make_edge, scripted_origin, authority,
                                                          ciphers):
    origin = scripted_origin(
        read_head, tls=authority.issue("internal", ["origin.test"], kind="rsa"))
    origin.tls.maximum_version = ssl.TLSVersion.TLSv1_2
    origin.tls.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    edge = make_edge({"app": origin.origin(
        f"tls: {{enabled: true, ca: {authority.certificate}, name: origin.test}}")})
    assert edge.curl("-o", "/dev/null", "-w", "%{http_code}", edge.url("/")).stdout == "502"
    assert edge.access_log(1)[0]["end"] == "origin-handshake-failed"
    errors = perigee.wait_for(lambda: origin.errors, "the origin to say why")
    assert all("NO_SHARED_CIPHER" in error for error in errors)
    errors.clear()
