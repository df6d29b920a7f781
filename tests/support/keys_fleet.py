# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-keys, and edges that have no key: their certificates for each other, their files, and a
client that is an edge."""

import shutil
import ssl
import subprocess

import perigee
from client_ca import ClientAuthority
from edge_fleet import HOST, Edge

PROTOCOL = "perigee-keys/1"
SERVER = ["tls_www_server", "signing_key"]
PING, FIND, SIGN_BY_ID = 5, 6, 7
OK, REFUSED, LIMITED, UNKNOWN = 0, 1, 2, 3


class Keys(perigee.Daemon):
    """One on a free port of 127.0.0.1, or on `port`."""

    def __init__(self, fleet, name="keys1", port=0, wait=True, inside=()):
        self.fleet = fleet
        self.name = name
        self.file = fleet.directory / f"{name}.yaml"
        self.port = port
        self.write()
        super().__init__(perigee.KEYS, self.file, name, fleet.directory, wait=wait, inside=inside)
        if wait:
            self.port = self.addresses()[0][1]

    def write(self):
        self.file.write_text(self.fleet.text(self.port))

    def reload_and_wait(self):
        before = self.log().count("configuration")
        self.reload()
        perigee.wait_for(lambda: self.log().count("configuration") > before, "a reload")

    def edges(self):
        return self.status()["edges"]


class KeysFleet:
    """What they all share. pairs: of HOST, [(certificate, key)]; the edges have no such key files."""

    def __init__(self, directory, authority, origin_port):
        self.directory = directory
        self.authority = authority
        self.origin_port = origin_port
        self.ca = ClientAuthority(directory, "fleet")
        self.server = self.ca.issue("server", ['ip_address = "127.0.0.1"'], usage=SERVER)
        self.edge = self.issue_edge("fra1")
        self.pairs = []
        for kind in ("ecdsa", "rsa"):
            pair = authority.issue(f"remote-{kind}", [HOST], kind=kind)
            self.pairs.append(tuple(shutil.copy(path, directory) for path in pair))
        self.own = ""  # more options of tls.keys of perigee-keys
        self.top = ""  # more sections of its configuration
        self.sites = ""  # more sites

    def issue_edge(self, name, **more):
        return self.ca.issue(name, [f'dns_name = "{name}"'], **more)

    def away(self, key):
        """Where the key is for an edge: nowhere."""
        return self.directory / "nowhere" / str(key).rpartition("/")[2]

    def options(self, one, ports):
        servers = ", ".join(f'"127.0.0.1:{port}"' for port in ports)
        return (f"place: remote, servers: [{servers}], certificate: {one.chain}, key: {one.key}, "
                f"ca: {self.ca.pem}")

    def text(self, port):
        """The configuration of perigee-keys."""
        pairs = "\n".join(f"      - {{certificate: {c}, key: {k}}}" for c, k in self.pairs)
        return f"""tls:
  keys: {{{self.options(self.server, [1])}, listen: "127.0.0.1:{port}", {self.own}}}
edges:
  fra1: {{location: "50,8", addresses: [127.0.0.1]}}
  nyc1: {{location: "40,-74", addresses: [127.0.0.2]}}
origins:
  app: {{servers: ["127.0.0.1:{self.origin_port}"]}}
sites:
  www:
    hosts: [{HOST}]
    certificates:
{pairs}
    routes: [{{path: /, origin: app}}]
{self.sites}
{self.top}
"""

    def make_edge(self, *servers, tls="", keys="", node="fra1", one=None, **more):
        ports = [server.port for server in servers]
        return Edge(self.directory, self.authority,
                    {"www": ([HOST], [(c, self.away(k)) for c, k in self.pairs], {"/": "app"})},
                    {"app": f'servers: ["127.0.0.1:{self.origin_port}"]'}, node=node,
                    top=[f"tls: {{keys: {{{self.options(one or self.edge, ports)}, {keys}}}, {tls}}}"],
                    **more)

    def context(self, one=None):
        """Of a client that is the edge `one`, as far as its certificate goes."""
        context = ssl.create_default_context(cafile=str(self.ca.pem))
        context.set_alpn_protocols([PROTOCOL])
        if one is not None:
            context.load_cert_chain(one.chain, one.key)
        return context


def key_id(certificate):
    """SHA-256 of the certificate's public key."""
    pem = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-pubkey"], check=True,
                         capture_output=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=pem, check=True,
                         capture_output=True).stdout
    return subprocess.run(["openssl", "dgst", "-sha256", "-binary"], input=der, check=True,
                          capture_output=True).stdout


def request(verb, content=b"", scheme=0):
    message = bytes([1, verb]) + scheme.to_bytes(2, "big") + bytes(4) + content
    return len(message).to_bytes(2, "big") + message


def receive(s):
    """(status, content) of a response; b"" at the end."""
    data = b""
    while len(data) < 2 or len(data) < 2 + int.from_bytes(data[:2], "big"):
        chunk = s.recv(65536)
        if not chunk:
            return b""
        data += chunk
    return data[3], data[10:]


def certificate_verify(digest=bytes(32)):
    """What a server of TLS 1.3 has signed."""
    return b" " * 64 + b"TLS 1.3, server CertificateVerify\0" + digest
