# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certificate a client is shown: for each key type that of the name, else that of the
wildcard. Each test is named after what went wrong once."""

import re
import subprocess

import pytest

from edge_fleet import HOST, Edge

# What a client that knows one key type only says, by version of TLS.
RSA = {"-tls1_2": ["-cipher", "ECDHE-RSA-AES128-GCM-SHA256"],
       "-tls1_3": ["-sigalgs", "RSA-PSS+SHA256:RSA+SHA256"]}
ECDSA = {"-tls1_2": ["-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
         "-tls1_3": ["-sigalgs", "ECDSA+SHA256"]}
# And no larger curves. Of TLS 1.2, GnuTLS does not look at the curve of a certificate.
P256 = {"-tls1_3": [*ECDSA["-tls1_3"], "-curves", "P-256"]}


@pytest.fixture
def edge(processes, tmp_path, authority, origin):
    """www.example.com has an ECDSA certificate of its own; for RSA there is only the wildcard's."""
    exact = authority.issue("exact", [HOST])
    wildcard = authority.issue("wildcard", ["*.example.com"], kind="rsa")
    other = authority.issue("other", ["other.test"])
    sites = {"other": (["other.test"], [other], {"/": "app"}),
             "www": ([HOST], [exact], {"/": "app"}),
             "rest": (["*.example.com"], [wildcard], {"/": "app"})}
    edge = Edge(tmp_path, authority, sites,
                {"app": f'servers: ["127.0.0.1:{origin.port}"]'})
    processes.append(edge)
    return edge


def shown(edge, version, limits, host):
    """(names, key type) of the certificate that a client gets."""
    name = ["-servername", host] if host else ["-noservername"]
    said = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{edge.port}", *name, version,
         *limits[version]], input="", capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 0, said.stderr
    text = subprocess.run(["openssl", "x509", "-noout", "-text"], input=said.stdout,
                          capture_output=True, text=True, check=True).stdout
    kind = "rsa" if "Public Key Algorithm: rsaEncryption" in text else "ecdsa"
    return re.findall(r"DNS:([^\s,]+)", text), kind


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_rsa_client_was_refused_though_the_wildcard_has_rsa(edge, version):
    assert shown(edge, version, RSA, HOST) == (["*.example.com"], "rsa")
    assert shown(edge, version, ECDSA, HOST) == ([HOST], "ecdsa")
    assert shown(edge, version, {version: []}, HOST) == ([HOST], "ecdsa")
    assert shown(edge, version, RSA, "x.example.com") == (["*.example.com"], "rsa")
    assert edge.settled()["edge_handshake_failures_total"] == 0


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("host", [None, "unknown.test"])
def test_rsa_client_without_a_known_name_was_refused(edge, version, host):
    """The first certificate is an ECDSA one: the default is the first of each key type."""
    assert shown(edge, version, ECDSA, host) == (["other.test"], "ecdsa")
    assert shown(edge, version, RSA, host) == (["*.example.com"], "rsa")


@pytest.mark.parametrize("curve", ["P-384", "P-521"])
def test_certificate_of_another_curve_hid_the_wildcards(processes, tmp_path, authority, origin,
                                                        curve):
    """A client that knows P-256 only was refused."""
    exact = authority.issue(f"exact-{curve}", [HOST], curve=curve)
    wildcard = authority.issue("wildcard-p256", ["*.example.com"])
    edge = Edge(tmp_path, authority, {"www": ([HOST, "*.example.com"], [exact, wildcard],
                                              {"/": "app"})},
                {"app": f'servers: ["127.0.0.1:{origin.port}"]'})
    processes.append(edge)
    assert shown(edge, "-tls1_3", P256, HOST) == (["*.example.com"], "ecdsa")
    assert shown(edge, "-tls1_3", P256, None) == (["*.example.com"], "ecdsa")
    for version in "-tls1_2", "-tls1_3":
        assert shown(edge, version, {version: []}, HOST) == ([HOST], "ecdsa")
    assert edge.settled()["edge_handshake_failures_total"] == 0
