# SPDX-License-Identifier: GPL-3.0-or-later
"""The work of checking ten thousand servers of origins, each every 5 s, which no peer does here: CPU time
and memory of an edge that serves nobody meanwhile. nginx answers, at ten thousand addresses of loopback.
Beside it the same by system calls alone (checks.c): what the kernel takes of it.
"""

import time

import measure
import perigee as project
from demo import free_port
from measure import Wrong
from work import Figure, Sample, Work

CHECKS = 10000
INTERVAL = 5
ORIGINS = 100
SECONDS = 20

NGINX = """daemon off; master_process off; worker_processes 1; pid {d}/pid; error_log stderr error;
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_timeout 0;
client_body_temp_path {d}/b; proxy_temp_path {d}/p; fastcgi_temp_path {d}/f;
uwsgi_temp_path {d}/u; scgi_temp_path {d}/s;
server {{ listen 0.0.0.0:{port} backlog=4096; location / {{ return 200 "up\\n"; }} }} }}
"""


class Responder:
    program = "nginx"


def address(n):
    return f"127.{1 + n // 60000}.{n // 250 % 240}.{1 + n % 250}"


def configuration(directory, port, listen, certificate):
    """Of an edge that checks, and that nobody asks for its one site."""
    each = CHECKS // ORIGINS
    origins = []
    for o in range(ORIGINS):
        servers = ", ".join(f'"{address(o * each + i)}:{port}"' for i in range(each))
        origins.append(f"  o{o}: {{servers: [{servers}], health: {{check: "
                       f"{{kind: http, path: /health, interval: {INTERVAL}s}}}}}}\n")
    path = directory / "perigee.yaml"
    path.write_text(f"""edges:
  bench: {{addresses: [127.0.0.1], listen: ["127.0.0.1:{listen}"]}}
origins:
{''.join(origins)}sites:
  www:
    hosts: [www.example.com]
    certificates: [{{certificate: {certificate[0]}, key: {certificate[1]}}}]
    routes: [{{path: /, origin: o0}}]
""")
    return path


def states(control):
    found = {}
    for origin in project.control(control, "status")["origins"].values():
        for server in origin["servers"]:
            for a in server["addresses"] or [{"state": "unresolved"}]:
                found[a["state"]] = found.get(a["state"], 0) + 1
    return found


def probes(control):
    return project.control(control, "status")["counters"]["olink_probes_total"]


def nginx(bench, directory, port):
    """As a context, in which it answers."""
    (directory / "nginx.conf").write_text(NGINX.format(d=directory, port=port))
    return measure.running("nginx", ["nginx", "-c", directory / "nginx.conf", "-p", directory],
                           bench.load_core, lambda: measure.output_of(
                               bench.load_core, ["curl", "-sf", f"http://{address(0)}:{port}/"]),
                           directory / "nginx.log")


def sample(user, system, made, took):
    total = user + system
    return Sample(total / took * 100, {"user": user / took * 100, "system": system / took * 100,
                                       "checks": made, "us": total / made * 1e6})


def by_system_calls(bench, directory):
    port = free_port(["0.0.0.0"])
    with nginx(bench, directory, port):
        cost = measure.load(bench.server_core, [measure.CHECKS, port, CHECKS, INTERVAL, SECONDS])
    if cost["checks"] < 0.9 * CHECKS / INTERVAL * SECONDS:
        raise Wrong(f"{cost['checks']} checks in {SECONDS} s")
    return {"checks": sample(cost["user"], cost["system"], cost["checks"], SECONDS)}


def run(bench, server):
    directory = measure.folder(bench.directory, "checks")
    if server == "syscalls":
        return by_system_calls(bench, directory)
    port, listen, control = free_port(["0.0.0.0"]), free_port(["127.0.0.1"]), directory / "control"
    path = configuration(directory, port, listen, bench.certificates["ecdsa"])

    def all_up():
        """By the log: a status of so many servers is work itself."""
        n = (directory / "log").read_text().count(" is up (ok)")
        if n != CHECKS:
            raise Wrong(f"not all are up: {n}")

    with nginx(bench, directory, port), \
            measure.running("perigee", [project.EDGE, "--config", path, "--node", "bench",
                                        "--workers", 1, "--control", control],
                            bench.server_core, all_up, directory / "log") as edge:
        time.sleep(2 * INTERVAL)  # until they are spread over the interval
        before, first, began = measure.cpu_of(edge.pid), probes(control), time.monotonic()
        with bench.watcher(edge.pid):
            time.sleep(SECONDS)
        took = time.monotonic() - began
        cpu, made = measure.cpu_of(edge.pid) - before, probes(control) - first
        if made < 0.9 * CHECKS / INTERVAL * took:
            raise Wrong(f"{made} checks in {took:.1f} s")
        if states(control) != {"up": CHECKS}:
            raise Wrong(f"not all are up: {states(control)}")
        memory = measure.memory_of(edge.pid)
    return {"checks": sample(cpu.user, cpu.system, made, took),
            "checks-memory": Sample(memory / 1e6)}


WORKS = [
    Work("checks", {"perigee": Responder, "syscalls": Responder}, ("perigee", "syscalls"),
         (Figure("checks", f"{CHECKS:,} checks each {INTERVAL} s, of a core", "%"),
          Figure("checks-memory", "memory with them", "MB")), run),
]
