# SPDX-License-Identifier: GPL-3.0-or-later
"""How many requests wait for an origin connection to be made: 2,000 clients ask by a Poisson process,
two servers that take 20 ms for each answer close what was idle for 10 s. Counted by the edge, once
all connections of clients are there: while nothing happens, over a reload, while one server after
the other is restarted, and after a minute of quiet.

Run by itself with the folder of a build: waits.py [--phases steady,reload,restart,quiet] [--warm N].
"""

import argparse
import contextlib
import csv
import json
import resource
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import measure  # noqa: E402
import perigee as project  # noqa: E402
from demo import free_port  # noqa: E402

HOST = measure.HOST
CLIENTS, RATE, DELAY, IDLE = 2000, 500, 0.02, 10
PHASES = ("steady", "reload", "restart", "quiet")
QUIET = 60
# What a proxy told of the client.
FORWARDED = "%[req.hdr(x-forwarded-for)] %[req.hdr(x-forwarded-proto)] over https"


class Server:
    """HAProxy, which rests before it answers."""

    def __init__(self, directory, name, certificate, core=None):
        self.port = free_port(["127.0.0.1"])
        self.core = core
        self.folder = directory / name
        self.folder.mkdir()
        (self.folder / "site.pem").write_text("".join(c.read_text() for c in certificate))
        (self.folder / "rest.lua").write_text(
            'core.register_action("rest", {"http-req"}, '
            f'function() core.msleep({1000 * DELAY:.0f}) end)')
        (self.folder / "haproxy.cfg").write_text(f"""
global
 nbthread 1
 maxconn 4000
 stats socket {self.folder}/stats level user
 lua-load {self.folder}/rest.lua
defaults
 mode http
 timeout client 60s
 timeout http-keep-alive {IDLE}s
 timeout http-request {IDLE}s
frontend f
 bind 127.0.0.1:{self.port} ssl crt {self.folder}/site.pem
 http-request lua.rest
 http-request return status 200 content-type text/plain lf-string "{FORWARDED}" if {{ path /forwarded }}
 http-request return status 200 content-type text/plain string {measure.BODY}
""")
        self.start()

    def start(self):
        argv = ["haproxy", "-db", "-f", self.folder / "haproxy.cfg"]
        self.process = project.Process(argv if self.core is None else measure.pinned(self.core, argv),
                                       self.folder / "log")
        project.wait_for(self.listens, "an origin to listen")

    def counts(self):
        """Connections and requests so far."""
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self.folder / "stats"))
            s.sendall(b"show stat\n")
            text = "".join(iter(lambda: s.recv(65536).decode(), ""))
        row = next(r for r in csv.DictReader(text.removeprefix("# ").splitlines())
                   if r["svname"] == "FRONTEND")
        return int(row["conn_tot"]), int(row["req_tot"])

    def listens(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True

    def stop(self):
        self.process.stop(expect=None)


def counters(edge):
    return edge.status()["counters"]


class Clients:
    """Ask until the time is over."""

    def __init__(self, port, seconds, core=None):
        argv = [measure.TLSLOAD, "--seconds", seconds, "--name", HOST, "--connections", CLIENTS,
                "--again", 1000 * CLIENTS // RATE, "--poisson", f"127.0.0.1:{port}"]
        self.process = subprocess.Popen(
            [str(a) for a in (argv if core is None else measure.pinned(core, argv))],
            stdout=subprocess.PIPE, text=True)

    def finish(self):
        """What they say, once their time is over."""
        return json.loads(self.process.communicate(timeout=300)[0] or "{}")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@contextlib.contextmanager
def fleet(directory, workers, warm):
    directory = Path(directory)
    authority = project.Authority(directory / "ca")
    certificate = authority.issue("www", [HOST])
    servers = [Server(directory, f"origin{i}", certificate) for i in range(2)]
    port = free_port(["127.0.0.1"])
    pool = f", pool: {{warm: {warm}}}" if warm is not None else ""
    (directory / "perigee.yaml").write_text(f"""
http: {{access_log: {{output: "{directory}/access.log"}}, timeout: {{keep_alive: 600s}}}}
edges:
  bench: {{location: "50,8", addresses: [127.0.0.1], listen: ["127.0.0.1:{port}"], workers: {workers}}}
origins:
  app: {{servers: ["127.0.0.1:{servers[0].port}", "127.0.0.1:{servers[1].port}"],
    health: {{check: {{interval: 1s, timeout: 1s}}}}{pool},
    tls: {{enabled: true, ca: {authority.certificate}, name: {HOST}}}}}
sites:
  www: {{hosts: [{HOST}], certificates: [{{certificate: {certificate[0]}, key: {certificate[1]}}}],
    routes: [{{path: /, origin: app}}]}}
""")
    edge = None
    try:
        edge = project.Daemon(project.EDGE, directory / "perigee.yaml", "bench", directory)
        yield edge, port, servers
    finally:
        if edge:
            edge.stop(expect=None)
        for s in servers:
            s.stop()


COUNTED = ("olink_requests_total", "olink_connects_total", "olink_retries_total",
           "olink_failures_total", "olink_warm_connections_total", "olink_closed_idle_total")


@contextlib.contextmanager
def counting(edge, clients):
    """Yields a dict that has what was counted meanwhile, at the end."""
    seen, before = {}, counters(edge)
    yield seen
    after = counters(edge)
    seen.update((key, after[key] - before[key]) for key in COUNTED)
    seen["open"] = after["olink_idle_connections"] + after["olink_active_connections"]
    if clients.process.poll() is not None:
        raise measure.Wrong(f"the clients ended: {clients.finish()}")


@contextlib.contextmanager
def asking(edge, port):
    clients = Clients(port, 3600)
    try:
        yield clients
    finally:
        clients.kill()


def steady(edge, servers):
    time.sleep(30)


def reload(edge, servers):
    before = counters(edge)["edge_reloads_total"]
    edge.reload()
    project.wait_for(lambda: counters(edge)["edge_reloads_total"] > before, "the reload")
    time.sleep(5)


def restart(edge, servers):
    for s in servers:
        s.stop()
        time.sleep(3)
        s.start()
        time.sleep(6)


def run(edge, port, servers, phases):
    """What was counted in each of them."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with asking(edge, port) as clients:
        for _ in range(60):
            time.sleep(1)
            if counters(edge)["edge_handshakes_total"] >= CLIENTS:
                break
        else:
            raise measure.Wrong("not all clients have connected in time")
        time.sleep(5)
        for phase in phases:
            if phase != "quiet":
                with counting(edge, clients) as seen:
                    globals()[phase](edge, servers)
                yield phase, seen
    if "quiet" in phases:
        time.sleep(QUIET)
        with asking(edge, port) as clients, counting(edge, clients) as seen:
            time.sleep(15)
        yield "quiet", seen


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--phases", default=",".join(PHASES))
    parser.add_argument("--warm", type=int)
    parser.add_argument("--workers", type=int, default=4)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, \
            fleet(directory, args.workers, args.warm) as (edge, port, servers):
        for phase, found in run(edge, port, servers, args.phases.split(",")):
            print(f"{phase:8} {found['olink_connects_total']:4} of "
                  f"{found['olink_requests_total']:6} waited   {found}", flush=True)


if __name__ == "__main__":
    main()
