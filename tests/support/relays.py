# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet in which some edges are relays for others: its authority, and its edges, each with a fleet
file of its own, as their ports are not known before they listen."""

import socket
import ssl
from pathlib import Path

import perigee
from edge_fleet import HOST, Edge


NODES = ["fra1", "nyc1", "lon1"]


class RelayFleet:
    """Its edges have the site HOST, whose origins are `origins`, {name: yaml}; the first serves all
    paths, and each other one the path of its name."""

    def __init__(self, directory, authority, certificate):
        self.directory = Path(directory)
        self.authority = authority
        self.certificate = certificate
        self.own = perigee.Authority(self.directory / "fleet")
        self.ports = {}  # of relays, by name

    def credentials(self, node):
        """The certificate of an edge of that name, and its key."""
        path = self.directory / "fleet" / f"{node}.pem"
        if not path.exists():
            self.own.issue(node, [node], usage="serverAuth,clientAuth")
        return path, path.with_suffix(".key")

    def options(self, node, listen=None):
        certificate, key = self.credentials(node)
        listens = f'listen: "127.0.0.1:{listen}", ' if listen is not None else ""
        return (f"relay: {{{listens}certificate: {certificate}, key: {key}, "
                f"ca: {self.own.certificate}}}")

    def stranger(self, name):
        """An edge as others have it."""
        relay = ""
        if name in self.ports:
            relay = (f', relay: {{listen: "127.0.0.1:{self.ports[name]}", certificate: c, key: k, '
                     f'ca: a, address: "127.0.0.1:{self.ports[name]}"}}')
        return f'{name}: {{location: "50.11,8.68"{relay}}}'

    def edge(self, node, origins, relay=False, http="", own=None, **more):
        """relay: it is one, at the port where it was before if it was."""
        directory = self.directory / node
        directory.mkdir(exist_ok=True)
        others = [self.stranger(name) for name in NODES if name != node]
        if own is None:
            own = self.options(node, self.ports.get(node, 0) if relay else None)
        names = list(origins)
        routes = {**{f"/{name}": name for name in names[1:]}, "/": names[0]}
        sites = {"www": ([HOST], [self.certificate], routes)}
        edge = Edge(directory, self.authority, sites, origins, http, node=node, own=own,
                    others=others, **more)
        if relay:
            edge.relay_port = edge.addresses()[-1][1]
            self.ports[node] = edge.relay_port
        return edge


def let_in(port, certificate, protocol, source="127.0.0.1"):
    """A connection of who shows that, where it is let in."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([protocol])
    context.load_cert_chain(*map(str, certificate))
    tcp = socket.create_connection(("127.0.0.1", port), timeout=perigee.PATIENCE,
                                   source_address=(source, 0))
    return context.wrap_socket(tcp, server_hostname="fra1", suppress_ragged_eofs=False)
