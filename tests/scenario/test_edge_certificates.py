# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: certificates that change while it serves, that are doubtful, and for no known name."""

import datetime
import re
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import pytest

import perigee
from certtool import certtool, issue
from edge_fleet import HOST, Edge


def serial(edge, host=HOST):
    """Of the certificate that a client is shown."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", edge.port), timeout=perigee.PATIENCE) as s, \
            context.wrap_socket(s, server_hostname=host) as tls:
        return serial_of(tls.getpeercert(True))


def serial_of(certificate):
    """Of one in DER, or of a PEM file."""
    if isinstance(certificate, Path):
        certificate = ssl.PEM_cert_to_DER_cert(
            certificate.read_text().split("-----END CERTIFICATE-----")[0]
            + "-----END CERTIFICATE-----\n")
    return perigee.openssl("x509", "-inform", "DER", "-noout", "-serial",
                           input=certificate).stdout.decode().strip()


def wait_shown(edge, certificate, host=HOST):
    perigee.wait_for(lambda: serial(edge, host) == serial_of(certificate),
                     "the new certificate to be shown")


@pytest.fixture
def pair(authority, tmp_path):
    """The files that the fleet names: its first certificate."""
    folder = tmp_path / "certs"
    folder.mkdir()
    paths = folder / "www.pem", folder / "www.key"
    for path, made in zip(paths, authority.issue("first", [HOST]), strict=True):
        shutil.copy(made, path)
    return paths


@pytest.fixture
def edge(processes, tmp_path, authority, origin, pair):
    made = Edge(tmp_path, authority, {"www": ([HOST], [pair], {"/": "app"})},
                {"app": f'servers: ["127.0.0.1:{origin.port}"]'})
    processes.append(made)
    assert serial(made) == serial_of(pair[0])
    return made


def replace(made, path):
    """In one step, as those do who renew certificates."""
    new = path.with_suffix(".new")
    shutil.copy(made, new)
    new.rename(path)


def test_renewed_certificate_is_picked_up(edge, authority, pair):
    for made, path in zip(authority.issue("second", [HOST]), pair, strict=True):
        replace(made, path)
    wait_shown(edge, pair[0])
    assert edge.counters()["edge_reload_failures_total"] == 0


def test_certificate_without_its_key_yet_keeps_the_old_one(edge, authority, pair):
    before = serial_of(pair[0])
    certificate, key = authority.issue("second", [HOST])
    replace(certificate, pair[0])
    edge.wait_log(r"the key \S+/www.key does not match the certificate \S+/www.pem")
    edge.wait_counter("edge_reloads_total", 1)
    assert serial(edge) == before
    assert edge.status()["certificates"][0]["warnings"] == ["kept: its files are of no use now"]
    replace(key, pair[1])
    wait_shown(edge, pair[0])


def test_links_of_certbot_are_followed(processes, tmp_path, authority, origin):
    """live/www/fullchain.pem leads to ../../archive/www/fullchain1.pem, then to 2."""
    live, archive = tmp_path / "live/www", tmp_path / "archive/www"
    names = "fullchain", "privkey"

    def renew(i):
        for made, name in zip(authority.issue(f"certbot{i}", [HOST]), names, strict=True):
            shutil.copy(made, archive / f"{name}{i}.pem")
            link = live / f"{name}.pem"
            link.unlink(missing_ok=True)
            link.symlink_to(f"../../archive/www/{name}{i}.pem")

    live.mkdir(parents=True)
    archive.mkdir(parents=True)
    renew(1)
    edge = Edge(tmp_path, authority, {"www": ([HOST], [[live / f"{n}.pem" for n in names]],
                                              {"/": "app"})},
                {"app": f'servers: ["127.0.0.1:{origin.port}"]'})
    processes.append(edge)
    for i in 2, 3:
        renew(i)
        wait_shown(edge, live / "fullchain.pem")


def test_configuration_itself_is_not_read_before_it_is_said(edge, authority, pair):
    """It may be half written; what is picked up is what it names."""
    before = serial_of(pair[0])
    edge.fleet.write_text("half: a wo")
    for made, path in zip(authority.issue("second", [HOST]), pair, strict=True):
        replace(made, path)
    edge.wait_log("reload refused")
    assert serial(edge) == before


# What is doubtful


def check(tmp_path, pair):
    """What is said of one certificate."""
    fleet = tmp_path / "check.yaml"
    fleet.write_text(
        "edges:\n  fra1: {location: '0, 0', addresses: [192.0.2.1]}\n"
        "origins:\n  app: {servers: [app.internal]}\n"
        f"sites:\n  www: {{hosts: [{HOST}], certificates: [{{certificate: {pair[0]}, "
        f"key: {pair[1]}}}], routes: [{{path: /, origin: app}}]}}\n")
    said = subprocess.run([perigee.EDGE, "--check", "-c", fleet, "-n", "fra1"],
                          capture_output=True, text=True, check=True)
    assert said.stdout == "ok\n"
    return said.stderr


def chained(path, *parts):
    path.write_text("".join(p.read_text() for p in parts))
    return path


CA = ("ca", "cert_signing_key")
AIA = 'ca_issuers_uri = "http://issuer.test/ca.der"'


def test_doubtful_certificates_are_served_with_a_warning(tmp_path):
    root = issue(tmp_path, "root", lines=CA, days=(-10, 3650))
    inter = issue(tmp_path, "inter", root, lines=CA, days=(-10, 3650))
    leaf, key = issue(tmp_path, "leaf", inter, lines=[AIA])
    good = chained(tmp_path / "good.pem", leaf, inter[0])
    assert check(tmp_path, (good, key)) == ""
    assert "lacks the certificate of its issuer" in check(tmp_path, (leaf, key))
    other = issue(tmp_path, "other")
    strange = chained(tmp_path / "strange.pem", leaf, inter[0], other[0])
    assert "do not belong to its first one" in check(tmp_path, (strange, key))
    disorder = chained(tmp_path / "disorder.pem", leaf, root[0], inter[0])
    assert "out of order" in check(tmp_path, (disorder, key))
    assert "less than 2048 bits" in check(tmp_path, issue(tmp_path, "weak", bits=1024))
    assert "last third of its time, and expires in 29." in check(
        tmp_path, issue(tmp_path, "ending", days=(-61, 29.9)))
    assert "has expired" in check(tmp_path, issue(tmp_path, "expired", days=(-61, -1)))
    assert "is not valid yet" in check(tmp_path, issue(tmp_path, "early", days=(1, 90)))
    sha1 = tmp_path / "sha1.pem"
    certtool("--generate-certificate", "--hash", "sha1", "--load-ca-certificate", root[0],
             "--load-ca-privkey", root[1], "--load-privkey", key, "--template",
             tmp_path / "leaf.cfg", "--outfile", sha1)
    chain = chained(tmp_path / "sha1-chain.pem", sha1, root[0])
    assert "signature by SHA-1" in check(tmp_path, (chain, key))


def test_certificates_out_of_order_are_shown_in_order(processes, tmp_path, authority, origin):
    root = issue(tmp_path, "root", lines=CA)
    inter = issue(tmp_path, "inter", root, lines=CA)
    leaf, key = issue(tmp_path, "leaf", inter)
    disorder = chained(tmp_path / "disorder.pem", leaf, root[0], inter[0])
    edge = Edge(tmp_path, authority, {"www": ([HOST], [(disorder, key)], {"/": "app"})},
                {"app": f'servers: ["127.0.0.1:{origin.port}"]'})
    processes.append(edge)
    said = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{edge.port}", "-servername", HOST,
         "-CAfile", root[0], "-showcerts"], input="", capture_output=True, text=True, check=False)
    assert "Verify return code: 0" in said.stdout
    subjects = re.findall(r" s:CN ?= ?(.+)", said.stdout)
    assert subjects == ["leaf", "inter", "root"]


def test_days_left_are_told(processes, tmp_path, authority, origin):
    ending = issue(tmp_path, "ending", days=(-61, 29.5))
    expired = issue(tmp_path, "expired", days=(-61, -1))
    edge = Edge(tmp_path, authority, {"www": ([HOST], [expired, ending], {"/": "app"})},
                {"app": f'servers: ["127.0.0.1:{origin.port}"]'})
    processes.append(edge)
    counters = edge.counters()
    assert (counters["edge_certificates_ending"], counters["edge_certificates_expired"]) == (1, 1)
    first, second = edge.status()["certificates"]
    assert first["warnings"] == ["expired"] and -1.1 < first["days_left"] < -0.9
    assert second["warnings"] == ["in the last third of its time"]
    assert 29.4 < second["days_left"] < 29.6
    name = f'edge_certificate_not_after_seconds{{certificate="{ending[0]}"}}'
    end = datetime.datetime.strptime(second["not_after"], "%Y-%m-%dT%H:%M:%SZ")
    assert counters[name] == end.replace(tzinfo=datetime.timezone.utc).timestamp()


# Names that no certificate is for


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_unknown_hosts_are_refused_when_that_is_wanted(processes, tmp_path, authority, origin,
                                                       certificate, version):
    edge = Edge(tmp_path, authority, {"www": ([HOST], [certificate], {"/": "app"})},
                {"app": f'servers: ["127.0.0.1:{origin.port}"]'},
                top=["tls: {unknown_host: refuse}"])
    processes.append(edge)

    def connect(*name):
        return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{edge.port}", version,
                               *name], input="", capture_output=True, text=True, check=False)

    assert connect("-servername", HOST).returncode == 0
    for name in (["-servername", "unknown.test"], ["-noservername"]):
        said = connect(*name)
        assert said.returncode != 0 and "unrecognized name" in said.stderr
    assert edge.settled()["edge_handshake_failures_total"] == 2
    assert edge.counters()["edge_handshake_failures_name_total"] == 2


def test_compression_that_gnutls_lacks_is_warned_of_and_left_out(processes, tmp_path, authority,
                                                                 origin, certificate):
    """Which it has shows when it is tried: each is used or warned of."""
    edge = Edge(tmp_path, authority, {"www": ([HOST], [certificate], {"/": "app"})},
                {"app": f'servers: ["127.0.0.1:{origin.port}"]'},
                top=["tls: {certificate_compression: [brotli, zlib, zstd, zlib]}"])
    processes.append(edge)
    for name in "brotli", "zlib", "zstd":
        said = edge.log().count(f"this GnuTLS has no {name}")
        tried = subprocess.run(
            ["gnutls-cli", f"--compress-cert={name}", "--x509cafile", authority.certificate,
             "--sni-hostname", HOST, "--verify-hostname", HOST, "-p", str(edge.port), "127.0.0.1"],
            input="", capture_output=True, text=True, check=False)
        # It has the same library.
        lacks = "Unknown compression method" in tried.stdout + tried.stderr
        assert tried.returncode == 0 and said == lacks, tried.stderr
    assert edge.curl(edge.url("/hello")).returncode == 0
