# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: certificates that change while it serves."""

import shutil
import socket
import ssl
from pathlib import Path

import pytest

import perigee
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
    assert serial(edge) == before
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
