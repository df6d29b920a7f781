# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of edges did not look at their certificates: one that had expired was "up", though every
client turned away from it. Each test is named after what went wrong once."""

import socket
import ssl
import threading

import pytest

import perigee
import private_etc
from dns_fleet import World
from perigee import wait_for

HOST = "www.example.com"


class TlsServer:
    """Shows a certificate and answers each request with 200."""

    def __init__(self, address, certificate):
        self.address = address
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*certificate)
        self.names = set()
        self.context.sni_callback = lambda _, name, __: self.names.add(name)
        self.socket = socket.create_server((address, 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            connection.settimeout(perigee.PATIENCE)
            try:
                with self.context.wrap_socket(connection, server_side=True) as tls:
                    tls.recv(4096)
                    tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            except OSError:
                connection.close()

    def stop(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()


def self_signed(directory):
    certificate, key = directory / "self.pem", directory / "self.key"
    perigee.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", key, "-out", certificate, "-subj", "/CN=nobody")
    return certificate, key


@pytest.fixture
def fleet(tmp_path, processes):
    """make(verify, hosts) -> the daemon and its servers, with an authority that the system trusts."""
    if not private_etc.is_allowed():
        pytest.skip("takes mount namespaces")
    etc = private_etc.PrivateEtc(tmp_path / "etc")
    public, private = (perigee.Authority(tmp_path / name) for name in ("public", "private"))
    store = etc.path / "ssl/certs/ca-certificates.crt"
    store.parent.mkdir(parents=True, exist_ok=True)
    store.unlink(missing_ok=True)
    store.write_text(public.certificate.read_text())
    servers = {
        "good": TlsServer("127.0.0.21", public.issue("good", [HOST])),
        "wildcard": TlsServer("127.0.0.22", public.issue("wildcard", ["*.example.com"])),
        "expired": TlsServer("127.0.0.23", public.issue_expired("expired", HOST)),
        "other": TlsServer("127.0.0.24", public.issue("other", ["other.example.com"])),
        "private": TlsServer("127.0.0.25", private.issue("private", ["inside.example.com"])),
        "self": TlsServer("127.0.0.26", self_signed(tmp_path)),
    }
    world = World(tmp_path)

    def make(verify, hosts=HOST):
        edges = "".join(
            f"  {name}: {{location: '0, 0', addresses: [{server.address}], check: "
            f"{{port: {server.port}, interval: 2s, timeout: 2s, verify: {verify}}}}}\n"
            for name, server in servers.items())
        text = world.fleet.read_text()
        start, end = text.index("edges:\n"), text.index("nameservers:\n")
        world.fleet.write_text(text[:start] + "edges:\n" + edges +
                               text[end:].replace(f"hosts: [{HOST}]", f"hosts: ['{hosts}']"))
        daemon = world.start(processes, inside=etc.inside)
        return daemon, servers

    yield make
    world.close()
    for server in servers.values():
        server.stop()


def found(daemon):
    def look():
        edges = daemon.status()["edges"]
        return edges if all(e["state"] != "unknown" for e in edges.values()) else None

    return {name: edge["state"] if edge["state"] == "up" else edge["cause"]
            for name, edge in wait_for(look, "the first checks").items()}


BAD = "bad-certificate"


@pytest.mark.parametrize("hosts", [HOST, "*.example.com"])
def test_edge_with_an_expired_certificate_was_up(fleet, hosts):
    daemon, servers = fleet("auto", hosts)
    good, wildcard = ("up", "up") if hosts == HOST else (BAD, "up")
    assert found(daemon) == {"good": good, "wildcard": wildcard, "expired": BAD, "other": BAD,
                             "private": "up", "self": "up"}
    assert "expired" in daemon.log()
    asked = HOST if hosts == HOST else "w.example.com"
    assert all(server.names == {asked} for server in servers.values())


@pytest.mark.parametrize("verify,private,expired", [("yes", BAD, BAD), ("no", "up", "up")])
def test_private_certificates_pass_unless_asked(fleet, verify, private, expired):
    daemon, _ = fleet(verify)
    assert found(daemon) == {"good": "up", "wildcard": "up", "expired": expired, "other": expired,
                             "private": private, "self": private}


def test_certificate_that_went_bad_hid_behind_resumed_sessions(fleet, tmp_path):
    daemon, servers = fleet("auto")
    assert found(daemon)["good"] == "up"
    servers["good"].context.load_cert_chain(tmp_path / "public/expired.pem",
                                            tmp_path / "public/expired.key")
    wait_for(lambda: daemon.status()["edges"]["good"]["cause"] == BAD, "it to be found out")
