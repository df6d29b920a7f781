# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet of the long-path rig: an origin, three edges, a relay, a name server, and clients in five
cities.

At each edge stand Perigee, nginx and HAProxy, each in one process on a port of its own, all with
plain HTTP/1.1 links to the same origin; the origin's nginx also takes clients itself, by TLS. Perigee
reaches it in another way too, through an edge of its own beside it, a relay (`via`). As a
program it brings all of that up and leaves it until Ctrl-C.
"""

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

import rig  # noqa: E402
import edges as peers  # noqa: E402
import perigee  # noqa: E402

HOST = "www.example.com"
WORLD = Path(__file__).resolve().parent / "world.txt"
# Where it stands, and by how much further away it is to be taken than it is: Johannesburg is nearer to
# São Paulo than to Frankfurt on the globe, but the cables of Africa lead to Europe.
EDGES = {"fra1": ("50.11,8.68", "0km"), "gru1": ("-23.55,-46.63", "2000km"),
         "nrt1": ("35.68,139.65", "0km")}
# Beside the origin; clients are not sent there.
RELAY, RELAY_PLACE, RELAY_PORT = "nyc1", "40.71,-74.01", 8844
# Where each client must be sent.
CITIES = {"london": "fra1", "johannesburg": "fra1", "sao-paulo": "gru1", "tokyo": "nrt1",
          "sydney": "nrt1"}
# What their own manuals advise for the time to first byte: a client reads nothing of a TLS record
# before it has all of it, and one of 16 KiB is more than a new connection may send at once. nginx
# sends on what fills a buffer, so the large ones that the bench of throughput gives it are taken back.
# (file, what it says, what it shall say)
ADVICE = {
    "nginx": [("nginx.conf", "ssl_session_tickets on;",
               "ssl_session_tickets on; ssl_buffer_size 4k;"),
              ("nginx.conf", "proxy_buffers 8 64k; proxy_busy_buffers_size 128k;", "")],
    "haproxy": [("haproxy.cfg", "tune.ssl.default-dh-param 2048",
                 "tune.ssl.default-dh-param 2048\n tune.ssl.maxrecord 2859")],
}
SIZES = {"20k": 20 * 1024, "1m": 1024 * 1024}
# Origin connections that Perigee keeps ready; no more visits of a city run at once.
WARM = 8
ORIGIN_PORT, TLS_PORT = 8080, 443


@dataclass(frozen=True)
class Way:
    """A way for clients to the content."""

    name: str
    port: int
    edge: bool  # at the edges; otherwise at the origin itself
    under: str = ""  # the path of what is got that way


WAYS = {w.name: w for w in (Way("direct", TLS_PORT, False), Way("nginx", 8443, True),
                            Way("haproxy", 9443, True), Way("perigee", TLS_PORT, True),
                            Way("relay", TLS_PORT, True, "/by-relay"))}


class Fleet:
    """All processes inside a Rig, which ends them."""

    def __init__(self, in_rig, advice=True):
        """advice: whether the peers are set up as their manuals advise for this."""
        self.rig = in_rig
        self.advice = advice
        self.hosts = in_rig.world.hosts
        self.directory = in_rig.directory
        self.origin = f"{self.hosts['origin']}:{ORIGIN_PORT}"
        self.edge_of = {self.hosts[e]: e for e in EDGES}

    def start(self):
        self.authority = perigee.Authority(self.directory / "ca")
        self.certificate = self.authority.issue("www", [HOST])
        self._write_bodies()
        self._start_origin()
        for name in ("nginx", "haproxy"):
            for edge in EDGES:
                self._start_peer(name, edge)
        self._start_perigee()
        for city in CITIES:
            for way in WAYS:
                self._wait_answer(city, way)

    def folder(self, name):
        folder = self.directory / name
        folder.mkdir()
        return folder

    def body(self, size):
        return self.directory / "www" / size

    def _write_bodies(self):
        """Bytes that cannot be compressed, nor mistaken for others."""
        folder = self.folder("www")
        for size, length in SIZES.items():
            (folder / size).write_bytes(random.Random(size).randbytes(length))
        (folder / "health").write_text("ok")
        (folder / WAYS["relay"].under[1:]).symlink_to(folder)

    def _start_origin(self):
        folder = self.folder("origin")
        chain, key = self.certificate
        (folder / "nginx.conf").write_text(
            f"""daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 600s;
 default_type application/octet-stream; root {self.directory}/www;
 server {{ listen {self.origin};
  listen {self.hosts["origin"]}:{TLS_PORT} ssl;
  ssl_certificate {chain}; ssl_certificate_key {key};
  ssl_protocols TLSv1.2 TLSv1.3; ssl_conf_command Ciphersuites {peers.CIPHER};
  ssl_ecdh_curve X25519; ssl_session_tickets on;{" ssl_buffer_size 4k;" if self.advice else ""}
 }} }}
""")
        self.rig.start("origin", one_process(
            ["nginx", "-p", folder, "-e", folder / "error.log", "-c", folder / "nginx.conf"]),
            folder / "log")

    def _start_peer(self, name, edge):
        folder = self.folder(f"{name}-{edge}")
        setup = peers.Setup(directory=folder, listen=f"{self.hosts[edge]}:{WAYS[name].port}",
                            origin=self.origin, certificate=self.certificate, host=HOST)
        argv = one_process(peers.EDGES[name].command(setup))
        if self.advice:
            for file, said, shall in ADVICE[name]:
                take_advice(folder / file, said, shall)
        self.rig.start(edge, argv, folder / "log")

    def _start_perigee(self):
        folder = self.folder("perigee")
        fleet = folder / "perigee.yaml"
        (folder / "example.com.zone").write_text(
            f"""$ORIGIN example.com.
$TTL 300
@    SOA ns1 hostmaster 1 3600 600 86400 60
@    NS  ns1
ns1  A   {self.hosts["ns1"]}
""")
        fleet.write_text(self._perigee_yaml(folder))
        daemons = [(perigee.EDGE, edge) for edge in [RELAY, *EDGES]] + [(perigee.DNS, "ns1")]
        for program, node in daemons:
            self.rig.start(node, [program, "--config", fleet, "--node", node, "--workers", 1],
                           folder / f"{node}.log")
        for _, node in daemons:
            perigee.wait_for(lambda n=node: self._serving(folder, n), f"{node} to serve")
        perigee.wait_for(lambda: self._all_up(folder), "ns1 to find all edges up")
        self.perigee_folder = folder

    def _relay_options(self, own):
        """Of an edge that goes by the relay."""
        def of(name):
            certificate, key = own.issue(name, [name], usage="serverAuth,clientAuth")
            return f"certificate: {certificate}, key: {key}, ca: {own.certificate}"

        return of

    def _perigee_yaml(self, folder):
        relay = self._relay_options(perigee.Authority(self.directory / "fleet"))
        edges = "".join(
            f"""  {name}:
    location: {place}
    bias: {bias}
    addresses: [{self.hosts[name]}]
    listen: ["{self.hosts[name]}:{WAYS["perigee"].port}"]
    control: {folder}/{name}.sock
    relay: {{{relay(name)}}}
""" for name, (place, bias) in EDGES.items())
        return f"""http: {{access_log: {{output: ""}}}}
edges:
{edges}
  {RELAY}:
    location: {RELAY_PLACE}
    admin: drained
    addresses: [{self.hosts[RELAY]}]
    listen: ["{self.hosts[RELAY]}:{WAYS["perigee"].port}"]
    control: {folder}/{RELAY}.sock
    relay: {{listen: "{self.hosts[RELAY]}:{RELAY_PORT}", {relay(RELAY)}}}
nameservers:
  ns1: {{listen: ["{self.hosts["ns1"]}:53"], control: {folder}/ns1.sock}}
origins:
  app:
    servers: ["{self.origin}"]
    health: {{check: {{path: /health}}}}
    pool: {{warm: {WARM}}}
  by-relay:
    servers: ["{self.origin}"]
    via: {RELAY}
    health: {{check: {{path: /health}}}}
    pool: {{warm: {WARM}}}
sites:
  www:
    hosts: [{HOST}]
    certificates: [{{certificate: {self.certificate[0]}, key: {self.certificate[1]}}}]
    routes:
      - {{path: {WAYS["relay"].under}, origin: by-relay, early_data: true}}
      - {{path: /, origin: app, early_data: true}}
zones:
  example.com:
    file: example.com.zone
    steered: {{www: {{site: www}}}}
geo: {{database: {perigee.SAMPLE_MMDB}, unknown: "50.11,8.68"}}
"""

    @staticmethod
    def _status(folder, node):
        try:
            return perigee.control(folder / f"{node}.sock", "status")
        except (OSError, ValueError):
            return None

    def _serving(self, folder, node):
        status = self._status(folder, node)
        return status and status["state"] == "serving"

    def _all_up(self, folder):
        explained = perigee.control(folder / "ns1.sock", f"explain {HOST} A {self.hosts['tokyo']}/32")
        return all(c["state"] == "up" for c in explained["candidates"])

    def wait_wide(self):
        """Until the links to the relay have been filled."""
        def is_wide(edge):
            counters = self._status(self.perigee_folder, edge)["counters"]
            return counters["olink_widened_total"] == counters["olink_h2_sessions_total"] > 0

        for edge in EDGES:
            perigee.wait_for(lambda e=edge: is_wide(e), f"the link of {edge} to be wide")

    def _wait_answer(self, city, way):
        def answers():
            try:
                return self.visit(city, way, "health")  # of two bytes: it widens nothing
            except rig.Wrong:
                for process in self.rig.processes:
                    if not process.running():
                        raise rig.Wrong(f"{process.argv} ended:\n{process.log()[-2000:]}") from None
                return None

        perigee.wait_for(answers, f"{way} to answer {city}")

    def visit_command(self, city, way, size, *options):
        """Through an edge the client asks perigee-dns first and goes where it is told."""
        w = WAYS[way]
        where = (["--dns", f"{self.hosts['ns1']}:53"] if w.edge
                 else ["--address", self.hosts["origin"]])
        return [rig.VISIT, *where, "--port", w.port, "--host", HOST, "--path", f"{w.under}/{size}",
                "--expect", self.body(size), "--ca", self.authority.certificate,
                "--timeout", 60, *options]

    def visit(self, city, way, size, *options):
        """What wan-visit saw, for each of its visits; Wrong when it was not where it belongs."""
        seen = json.loads(self.rig.run(city, self.visit_command(city, way, size, *options)))
        expected = CITIES[city] if WAYS[way].edge else "origin"
        for v in seen:
            if v["address"] != self.hosts[expected]:
                raise rig.Wrong(f"{city} was sent to {v['address']}, expected {expected}")
        return seen

    def warm(self, city, at_once):
        """The links of every edge carry as many visits at once as the run will."""
        for way in WAYS:
            with ThreadPoolExecutor(at_once) as pool:
                list(pool.map(lambda size, w=way: self.visit(city, w, size), [*SIZES] * at_once))


def one_process(argv):
    """nginx without its master: what has one process dies whole with the rig."""
    return [*argv, "-g", "master_process off;"] if argv[0] == "nginx" else argv


def take_advice(file, said, shall):
    configuration = file.read_text()
    if said not in configuration:
        raise rig.Wrong(f"{file}: no '{said}', for which there is advice")
    file.write_text(configuration.replace(said, shall))


def missing_programs():
    return [p for p in ("nginx", "haproxy", "nsenter", "setpriv", "openssl") if not shutil.which(p)]


def show(fleet):
    line = fleet.rig
    print("A shell in a host, by its network alone:")
    for host, space in line.spaces.items():
        print(f"  nsenter --net={space}   # {host} {line.world.hosts[host]}")
    print("What the bench does, for example:")
    command = fleet.visit_command("johannesburg", "perigee", "20k", "--resume")
    print(f"  nsenter --net={line.spaces['johannesburg']} {' '.join(map(str, command))}")
    print("Why a client is sent where it is:")
    print(f"  {perigee.CTL} explain {fleet.perigee_folder}/ns1.sock {HOST} A "
          f"{line.world.hosts['sydney']}/32")
    print("Ctrl-C takes it all down.", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--world", type=Path, default=WORLD, help="another description of a world")
    parser.add_argument("--loss", type=float, default=0, help="on every path, in percent")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # What is started in the background finds it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="perigee-wan-") as directory:
        try:
            with rig.Rig(rig.World(args.world.read_text(), args.loss), directory) as line:
                fleet = Fleet(line)
                fleet.start()
                show(fleet)
                signal.pause()
        except rig.Skipped as e:
            print(f"skipped: {e}")
            return rig.EXIT_SKIPPED
        except rig.Wrong as e:
            print(f"failed: {e}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
