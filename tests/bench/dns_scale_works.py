# SPDX-License-Identifier: GPL-3.0-or-later
"""The works of perigee-dns alone, which no peer does: a large database that is replaced while a large
fleet is checked, and steering among thousands of edges.
"""

import contextlib
import os
import random
import socket
import threading
import time
from pathlib import Path

import dns.message
import dns.query

import measure
import mmdb
import perigee as project
from demo import free_port
from dns_works import expect_answers, max_memory
from measure import Wrong
from responders import RESPONDERS
from work import Figure, Sample, Work, one

ZONE = """$ORIGIN example.com.
$TTL 300
@      SOA ns1 hostmaster 1 3600 600 86400 60
@      NS  ns1
ns1    A   127.0.0.1
static A   192.0.2.1
"""


def points(n, seed):
    chance = random.Random(seed)
    return [(round(chance.uniform(-60, 70), 2), round(chance.uniform(-180, 180), 2))
            for _ in range(n)]


def address(n):
    return f"127.{1 + n // 60000}.{n // 250 % 240}.{1 + n % 250}"


class Fleet:
    """perigee-dns with n edges all over the world. `all.example.com` is steered to all of them,
    `two.example.com` to the first two; checks connect to `port`."""

    def __init__(self, bench, n, port, database, interval):
        self.directory = measure.folder(bench.directory, "fleet")
        self.database = self.directory / "database.mmdb"
        self.control = self.directory / "control"
        self.listen = free_port(["127.0.0.1"])
        os.link(database, self.database)
        (self.directory / "zone").write_text(ZONE)
        check = f"{{kind: tcp, port: {port}, interval: {interval}, timeout: 1s, fall: 1, rise: 1}}"
        edges = "".join(
            f'  e{i}: {{location: "{lat},{lon}", addresses: [{address(i)}], check: {check}}}\n'
            for i, (lat, lon) in enumerate(points(n, 3)))
        sites = "".join(
            f"  {name}: {{hosts: [{name}.example.com], edges: [{', '.join(members)}],"
            " certificates: [{certificate: none.pem, key: none.key}],"
            " routes: [{path: /, origin: app}]}\n"
            for name, members in (("all", [f"e{i}" for i in range(n)]), ("two", ["e0", "e1"])))
        (self.directory / "perigee.yaml").write_text(
            f"""edges:
{edges}nameservers:
  ns1: {{listen: ["127.0.0.1:{self.listen}"], state: ""}}
origins:
  app: {{servers: ["127.0.0.1:{port}"], health: {{enabled: false}}}}
sites:
{sites}zones:
  example.com: {{file: zone, steered: {{all: {{site: all}}, two: {{site: two}}}}}}
geo: {{database: {self.database}, unknown: "50.11,8.68"}}
""")

    def command(self):
        return [project.DNS, "--config", self.directory / "perigee.yaml", "--node", "ns1",
                "--workers", 1, "--control", self.control]

    def is_serving(self):
        """For measure.running()."""
        try:
            if project.control(self.control, "status")["state"] == "serving":
                return
        except (OSError, ValueError):
            pass
        raise Wrong("it does not serve yet")

    def ask(self, name):
        query = dns.message.make_query(f"{name}.example.com", "A")
        return dns.query.udp(query, "127.0.0.1", timeout=5, port=self.listen).answer

    def states(self):
        return {e["state"] for e in project.control(self.control, "status")["edges"].values()}


@contextlib.contextmanager
def port_of_all():
    """A port on which every address of loopback takes connections and ends them."""
    with socket.create_server(("0.0.0.0", 0), backlog=1024) as s:
        def serve():
            while True:
                connection, _ = s.accept()
                with connection:
                    if not connection.recv(1):
                        continue
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield s.getsockname()[1]
        with socket.create_connection(s.getsockname()) as last:
            last.sendall(b".")
        thread.join()


def write_database(path, depth, seed):
    # Prime: neighbours are as good as random.
    path.write_bytes(mmdb.build(depth, points(min(49999, 2**depth), seed)))


def thread_cpu(pid):
    """name -> CPU of the threads of that name, in seconds."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        name, _, rest = (task / "stat").read_text().partition("(")[2].rpartition(")")
        fields = rest.split()
        user, system = (int(fields[n]) / os.sysconf("SC_CLK_TCK") for n in (11, 12))
        before = found.get(name, measure.Cpu(0, 0))
        found[name] = measure.Cpu(before.user + user, before.system + system)
    return found


def ask_while(control, running):
    """The longest that a small command waited for its answer, in seconds."""
    longest = 0
    while running():
        began = time.monotonic()
        project.control(control, "log")
        longest = max(longest, time.monotonic() - began)
        time.sleep(0.001)
    return longest


def reload(fleet, process):
    """The database is another one: (wall time, CPU time of those threads that are neither control nor
    workers, the longest that control was held), all in seconds."""
    result = {}

    def run():
        result["answer"] = project.control(fleet.control, "reload")

    def others():
        names = thread_cpu(process.pid)
        known = sum(cpu.total for name, cpu in names.items()
                    if name == "perigee-dns" or name.startswith("worker"))
        return measure.cpu_of(process.pid).total - known

    before, began = others(), time.monotonic()
    thread = threading.Thread(target=run)
    thread.start()
    held = ask_while(fleet.control, thread.is_alive)
    thread.join()
    took = time.monotonic() - began
    if "error" in result["answer"]:
        raise Wrong(f"reload: {result['answer']}")
    return took, others() - before, held


def replace_database(n_edges=300, depth=22):
    def run(bench, name):
        first, second = (bench.directory / f"grid{n}-{depth}.mmdb" for n in (1, 2))
        for seed, path in enumerate((first, second)):
            if not path.exists():
                write_database(path, depth, seed)
        with port_of_all() as port:
            fleet = Fleet(bench, n_edges, port, first, "1s")
            # Control may run while a job does, as on any machine that has more than one core.
            with measure.running(name, fleet.command(), f"{bench.server_core},{bench.load_core}",
                                 fleet.is_serving, fleet.directory / "log") as process:
                at_rest = measure.memory_of(process.pid)
                os.link(second, fleet.directory / "new")
                (fleet.directory / "new").replace(fleet.database)
                took, job, held = reload(fleet, process)
                if fleet.states() != {"up"} or " is down" in process.log():
                    raise Wrong("a check came too late for a healthy edge")
                if not fleet.ask("all"):
                    raise Wrong("nothing is answered after the reload")
                after = measure.memory_of(process.pid)
                peak = max_memory(process.pid)
        return {"reload-held": Sample(held * 1000),
                "reload-job": Sample(job, {"wall": took}),
                "reload-memory": Sample(at_rest / 1e6, {"after_mb": after / 1e6,
                                                        "peak_mb": peak / 1e6})}

    return run


def worker_user(bench, fleet, process, name):
    """User time of the worker for one answer, in us."""
    before = thread_cpu(process.pid)["worker1"]
    found = measure.load(bench.load_core, [measure.DNSLOAD, "--seconds", bench.seconds, "--subnets",
                                           f"127.0.0.1:{fleet.listen}", f"{name}.example.com"])
    expect_answers("perigee", found)
    cpu = thread_cpu(process.pid)["worker1"] - before
    return cpu.user / found["answers"] * 1e6


def choose_among(n_edges=3000):
    """What it costs to choose, all edges being down: the user time of a steered answer beyond that of
    a static one to the same clients."""
    def run(bench, name):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            fleet = Fleet(bench, n_edges, closed.getsockname()[1], bench.database, "60s")
            with measure.running(name, fleet.command(), bench.server_core, fleet.is_serving,
                                 fleet.directory / "log") as process:
                project.wait_for(lambda: fleet.states() == {"down"}, "all edges to be down")
                if not fleet.ask("two"):
                    raise Wrong("nothing is answered when all are down")
                static, two = (worker_user(bench, fleet, process, n) for n in ("static", "two"))
        return Sample(max(0, two - static), {"static": static, "steered": two})

    return run


WORKS = [
    Work("dns-reload", RESPONDERS, ("perigee",),
         (Figure("reload-held", "control held by a reload, 300 edges, 4.2 M networks", "ms"),
          Figure("reload-job", "its job", "s"),
          Figure("reload-memory", "memory with them", "MB")), replace_database()),
    one("dns-choose", RESPONDERS, "choosing 1 of 2 among 3,000 edges, all down", "us", ("perigee",),
        choose_among()),
]
