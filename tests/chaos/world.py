# SPDX-License-Identifier: GPL-3.0-or-later
"""What a chaos run happens to: two edges (one may have no more than 120 descriptors), perigee-dns, the
origins, a disk that gets full, a reader of logs that stops; and the operator's acts.

The whole run is in namespaces of its own (see chaos): what it mounts and binds nobody else sees."""

import fcntl
import os
import select
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path

import demo
import perigee
from clients import Target
from edge_fleet import HOST
from names import RESOLVER, NameServer
from origins import Origin
from record import Trouble

TIGHT_FILES = 120
DISK = "4m"
EDGES = (("sin1", "1.35,103.82", "127.0.1.3"), ("nyc1", "40.71,-74.01", "127.0.1.2"),
         ("fra1", "50.11,8.68", "127.0.1.1"))
# Wherever it is cut off it is refused, or lacks nothing that is asked for.
ZONE = """$TTL 300
@      SOA ns1 hostmaster 1 7200 900 1209600 60
static A   192.0.2.80
@      NS  ns1
ns1    A   127.0.0.1
"""


class FifoReader:
    """Reads what an edge logs, or does not."""

    def __init__(self, path):
        os.mkfifo(path)
        self.reads = threading.Event()
        self.reads.set()
        # Open for both, so that it does not wait for the edge.
        self.fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        # It is soon full.
        fcntl.fcntl(self.fd, fcntl.F_SETPIPE_SZ, 4096)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            self.reads.wait()
            select.select([self.fd], [], [], 0.5)
            try:
                os.read(self.fd, 65536)
            except BlockingIOError:
                pass


class World:
    def __init__(self, directory, private):
        """`private`: whether mounts and the resolver's port are ours alone."""
        self.directory, self.private = Path(directory), private
        self.config_trouble, self.crowd_trouble = Trouble(), Trouble()
        self.daemons = {}
        self.disk = self.directory / "disk"

    def begin(self):
        """May fail half-way: end() puts away what there is by then."""
        names = ("roomy", "roomy_plain", "tight", "tight_plain", "dns", "sin1", "steady", "moody",
                 "named")
        self.ports = {}
        for name in names:
            while (port := demo.free_port(["127.0.0.1"])) in self.ports.values():
                pass
            self.ports[name] = port
        self.authority = perigee.Authority(self.directory / "ca")
        self.certificate = self.authority.issue("www", [HOST, "extra.example.com"])
        self.origins = {n: Origin(self.ports[n]) for n in ("steady", "moody", "named")}
        # What dns sees of an edge that is no edge at all.
        self.origins["sin1"] = Origin(self.ports["sin1"], "127.0.1.3")
        self.disk.mkdir()
        self.name_server = None
        if self.private:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", self.disk],
                           check=True)
            self.name_server = NameServer()
            resolv = self.directory / "resolv.conf"
            resolv.write_text(f"nameserver {RESOLVER[0]}\noptions timeout:1 attempts:1\n")
            subprocess.run(["mount", "--bind", resolv, "/etc/resolv.conf"], check=True)
        self.fleet = self.directory / "perigee.yaml"
        self.zone = self.directory / "example.com.zone"
        self.zone.write_text(ZONE)
        self.fifo = FifoReader(self.directory / "tight.fifo")
        self.write(self.text())
        self.start()

    def text(self, extra=False, idle=64, access_log="access.log"):
        """The fleet. Its edges come last, and the one under test last of all: whatever is cut off
        takes that with it, and what is left is refused."""
        named = (f'"app.example.net:{self.ports["named"]}"' if self.private
                 else f'"127.0.0.1:{self.ports["named"]}"')
        check = "health: {check: {path: /health, interval: 1s, timeout: 1s, rise: 1, fall: 2}}"
        pool = f"pool: {{max_idle: {idle}, idle_timeout: 2s, warm: 0}}"
        timeouts = "timeout: {connect: 2s, response: 5s, idle: 5s, queue: 5s}"

        def origin(server):
            return f"{{servers: [{server}], {check}, {pool}, {timeouts}}}"

        def local(name):
            return f'"127.0.0.1:{self.ports[name]}"'

        certificate = "[{certificate: %s, key: %s}]" % self.certificate
        lines = [
            f"http: {{access_log: {{output: {self.disk}/{access_log}}}, plain: serve, "
            "timeout: {handshake: 5s, head: 5s, body: 10s, write: 10s, keep_alive: 5s, tunnel: 5s, "
            "shutdown: 1s}}",
            "origins:",
            f"  steady: {origin(local('steady'))}",
            f"  moody: {origin(local('moody'))}",
            f"  named: {origin(named)}",
            *([f"  extra: {origin(local('steady'))}"] if extra else []),
            "sites:",
            f"  www: {{hosts: [{HOST}], certificates: {certificate}, routes: [" + ", ".join(
                f"{{path: /{n}, origin: {n}}}" for n in ("steady", "moody", "named")) + "]}",
            *([f"  extra: {{hosts: [extra.example.com], certificates: {certificate}, "
               "routes: [{path: /, origin: extra}]}"] if extra else []),
            f"zones: {{example.com: {{file: {self.zone}, steered: {{www: {{site: www}}}}}}}}",
            f"geo: {{database: {perigee.SAMPLE_MMDB}, unknown: '50.11,8.68'}}",
            f"nameservers: {{ns1: {{listen: '127.0.0.1:{self.ports['dns']}', workers: 2}}}}",
            "edges:",
        ]
        for name, location, address in EDGES:
            port = {"fra1": "roomy", "nyc1": "tight"}.get(name, "sin1")
            listen = ("" if name == "sin1" else
                      f"listen: ['{address}:{self.ports[port]}'], "
                      f"listen_plain: ['{address}:{self.ports[port + '_plain']}'], workers: 2, ")
            lines.append(f"  {name}: {{{listen}location: '{location}', check: {{kind: tcp, "
                         f"interval: 1s, timeout: 1s, rise: 1, fall: 2, "
                         f"port: {self.ports[port]}}}, addresses: ['{address}']}}")
        return "\n".join(lines) + "\n"

    def write(self, text):
        """One file for each node, since only the tight one logs to a pipe."""
        self.fleet.write_text(text)
        (self.directory / "tight.yaml").write_text(
            text.replace(f"{self.disk}/access.log", f"{self.directory}/tight.fifo"))

    def start(self):
        for name, program, node, fleet, inside in (
                ("roomy", perigee.EDGE, "fra1", self.fleet, ()),
                ("tight", perigee.EDGE, "nyc1", self.directory / "tight.yaml",
                 ("prlimit", f"--nofile={TIGHT_FILES}:{TIGHT_FILES}")),
                ("dns", perigee.DNS, "ns1", self.fleet, ())):
            self.daemons[name] = perigee.Daemon(program, fleet, node, self.directory, inside=inside,
                                                wait=False)
        for daemon in self.daemons.values():
            daemon.wait_serving()
        self.targets = {
            n: Target(address, self.ports[n], self.ports[f"{n}_plain"], self.authority)
            for n, address in (("roomy", "127.0.1.1"), ("tight", "127.0.1.2"))}

    def hang_up(self, number=signal.SIGHUP):
        for daemon in self.daemons.values():
            daemon.send_signal(number)

    def reload(self, text, broken=False):
        if broken:
            self.config_trouble.begin()
        self.write(text)
        self.hang_up()

    def repair_config(self):
        self.write(self.text())
        self.zone.write_text(ZONE)
        self.hang_up()
        self.config_trouble.end()

    def truncate_zone(self, rng):
        self.config_trouble.begin()
        self.zone.write_text(ZONE[:rng.randrange(len(ZONE))])
        self.hang_up()

    def fill_disk(self):
        with open(self.disk / "filler", "wb", buffering=0) as f:
            try:
                while True:
                    f.write(bytes(65536))
            except OSError:
                pass

    def free_disk(self):
        (self.disk / "filler").unlink(missing_ok=True)

    def rotate(self):
        """The operator's logrotate."""
        log = self.disk / "access.log"
        if log.exists():
            log.replace(self.disk / "access.log.1")
        self.hang_up(signal.SIGUSR1)

    def poke_control(self, rng):
        """Whoever has the control socket may be of no use."""
        daemon = rng.choice(list(self.daemons.values()))
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.settimeout(1)
            try:
                s.connect(str(daemon.control_path))
                s.sendall(rng.choice((b"status\n", b"", b"nonsense\n", rng.randbytes(50), b"stat")))
                if rng.random() < 0.5:
                    s.recv(10)
            except OSError:
                pass

    def end(self):
        """Ends what still runs, whatever it says, and puts all away."""
        for daemon in self.daemons.values():
            daemon.kill()
        if self.private and self.disk.exists():
            for place in (self.disk, "/etc/resolv.conf"):
                subprocess.run(["umount", place], check=False, capture_output=True)
        shutil.rmtree(self.directory, ignore_errors=True)
