# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scenarios of perigee-dns share: a fleet of three edges with its zone, what the edges'
health checks find, and questions."""

import socket
import subprocess
import threading

import dns.edns
import dns.message
import dns.query
import dns.rdatatype

import perigee

# Places of the sample database (geo/sample/sample-city.csv).
FRANKFURT, LONDON, NEW_YORK, SINGAPORE = "192.0.2.0/26", "192.0.2.64/26", "198.51.100.0/26", "203.0.113.0/27"

ZONE = """\
$TTL 300
@        3600 SOA ns1 hostmaster {serial} 7200 900 1209600 60
@        NS    ns1
@        MX    10 mail
ns1      A     127.0.0.1
mail     A     192.0.2.25
static   A     192.0.2.80
alias    CNAME static
toedge   CNAME www
*.wild   A     192.0.2.99
sub      NS    ns.sub
ns.sub   A     192.0.2.54
big      TXT   "{filler}1"
big      TXT   "{filler}2"
big      TXT   "{filler}3"
big      TXT   "{filler}4"
big      TXT   "{filler}5"
big      TXT   "{filler}6"
"""


class HealthServer:
    """What an edge looks like to a probe; can be stopped and started on the same port."""

    def __init__(self, kind, address, port=0):
        self.kind = kind
        self.socket = None
        self.address = (address, port)
        self.start()

    def start(self):
        family = socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET
        self.socket = socket.create_server(self.address, family=family)
        self.address = self.socket.getsockname()[:2]
        self.held = []  # connections of a silent one
        self.thread = threading.Thread(target=self._serve, args=(self.socket,), daemon=True)
        self.thread.start()

    def _serve(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            if self.kind == "silent":
                self.held.append(connection)
                continue
            with connection:
                if self.kind == "http":
                    connection.settimeout(5)
                    try:
                        connection.recv(4096)
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                    except OSError:
                        pass

    def stop(self):
        if self.socket.fileno() < 0:
            return
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()
        for connection in self.held:
            connection.close()

    @property
    def port(self):
        return self.address[1]


class World:
    """A fleet file with its zone, the edges' health servers, and the daemon."""

    EDGES = {
        "fra1": ("50.11, 8.68", "127.0.0.11"),
        "nyc1": ("40.71, -74.01", "127.0.0.12"),
        "sin1": ("1.35, 103.82", "127.0.0.13"),
    }

    def __init__(self, directory, kinds=("http", "tcp", "tcp")):
        self.directory = directory
        self.fleet = directory / "fleet.yaml"
        self.zone = directory / "example.zone"
        self.state = directory / "ns1.state"
        self.servers = {
            name: HealthServer(kind, address)
            for (name, (_, address)), kind in zip(self.EDGES.items(), kinds)
        }
        self.daemon = None
        self.write_zone(1)
        self.write_fleet()

    def write_zone(self, serial, extra=""):
        self.zone.write_text(ZONE.format(serial=serial, filler="x" * 250) + extra)

    def write_fleet(self, ttl="30s", geo=None, listen="127.0.0.1:0", drained=()):
        edges = "".join(
            f"  {name}:\n"
            f"    location: '{location}'\n"
            f"    addresses: ['{address}', '2001:db8::{i}']\n"
            f"    admin: {'drained' if name in drained else 'active'}\n"
            f"    check: {{kind: {self.servers[name].kind}, port: {self.servers[name].port},"
            f"{'' if self.servers[name].kind == 'tcp' else ' path: /,'}"
            f" interval: 200ms, timeout: 200ms, rise: 1, fall: 2}}\n"
            for i, (name, (location, address)) in enumerate(self.EDGES.items(), 1)
        )
        self.fleet.write_text(
            "log: {level: debug}\n"
            f"edges:\n{edges}"
            f"nameservers:\n  ns1: {{listen: '{listen}', workers: 2, state: {self.state}}}\n"
            "origins: {app: {servers: '127.0.0.1:80'}}\n"
            "sites:\n"
            "  www:\n"
            "    hosts: [www.example.com]\n"
            "    certificates: [{certificate: c.pem, key: k.pem}]\n"
            "    routes: [{origin: app}]\n"
            "zones:\n"
            f"  example.com: {{file: {self.zone}, steered: {{www: {{site: www, ttl: {ttl}}}}}}}\n"
            f"geo: {{database: {geo or perigee.SAMPLE_MMDB}}}\n"
        )

    def start(self, processes, **kwargs):
        self.daemon = perigee.Daemon(perigee.DNS, self.fleet, "ns1", self.directory, **kwargs)
        processes.append(self.daemon)
        return self.daemon

    def close(self):
        for server in self.servers.values():
            server.stop()

    @property
    def address(self):
        return self.daemon.addresses()[0]

    def ask(self, name, rdtype="A", subnet=None, tcp=False, **kwargs):
        options = [dns.edns.ECSOption(*split_prefix(subnet))] if subnet else None
        if subnet:
            kwargs["use_edns"] = 0
        query = dns.message.make_query(name, rdtype, options=options, **kwargs)
        host, port = self.address
        function = dns.query.tcp if tcp else dns.query.udp
        return function(query, host, port=port, timeout=perigee.PATIENCE)

    def addresses_of(self, name, subnet, rdtype="A"):
        return answer_data(self.ask(name, rdtype, subnet=subnet), rdtype)

    def kdig(self, *args):
        host, port = self.address
        return subprocess.run(
            ["kdig", f"@{host}", "-p", str(port), "+retry=0", f"+time={int(perigee.PATIENCE)}", *args],
            check=True, capture_output=True, text=True,
        ).stdout

    def raw_udp(self, data, then=None):
        """The response to a datagram; with `then`, the first response to either."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(perigee.PATIENCE)
            s.connect(self.address)
            s.send(data)
            if then is not None:
                s.send(then)
            return s.recv(65535)


def split_prefix(prefix):
    address, _, length = prefix.partition("/")
    return address, int(length)


def answer_data(response, rdtype="A"):
    wanted = dns.rdatatype.from_text(rdtype)
    return [r.to_text() for rrset in response.answer if rrset.rdtype == wanted for r in rrset]


def scope(response):
    return [o.scopelen for o in response.options if isinstance(o, dns.edns.ECSOption)]
