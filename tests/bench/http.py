# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTPS requests through one edge: Perigee beside nginx and HAProxy, in the same run.

Each server runs alone, with one worker, on one core; the load generator and the origin (nginx) share
another. The servers alternate, round by round. CPU is what the server's processes used (user +
system, from /proc) divided by the requests answered. Before measuring, each server must give the
right answer; an error of any kind, or a reuse of origin connections under 99.9%, fails the run.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import perigee  # noqa: E402
from demo import free_port  # noqa: E402

HOST = "www.example.com"
BODY = "x" * 1024
REUSE_GOAL = 0.999
CIPHER = "TLS_AES_128_GCM_SHA256"


class Wrong(Exception):
    """The run is not worth its figures."""


def pinned(core, argv):
    return ["taskset", "-c", str(core), *map(str, argv)]


def process_tree(pid):
    pids = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            pids += process_tree(int(child))
    return pids


def cpu_seconds(pid):
    """User + system time of a process and its children that live."""
    ticks = 0
    for p in process_tree(pid):
        fields = Path(f"/proc/{p}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


class Origin:
    """nginx, answering 1 KiB from memory and counting its connections and requests."""

    def __init__(self, directory, core):
        self.port = free_port(["127.0.0.1"])
        directory.mkdir()
        (directory / "nginx.conf").write_text(
            f"""daemon off; worker_processes 1; pid {directory}/pid; error_log {directory}/error.log;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 600s;
 server {{ listen 127.0.0.1:{self.port} backlog=4096 reuseport; default_type text/plain;
  location / {{ return 200 "{BODY}"; }}
  location = /stub {{ stub_status; }} }} }}
"""
        )
        self.process = perigee.Process(
            pinned(core, ["nginx", "-p", directory, "-e", directory / "error.log",
                          "-c", directory / "nginx.conf"]),
            directory / "log",
        )
        perigee.wait_for(self.counts, "the origin to answer")

    def counts(self):
        """(connections accepted, requests) so far, or None."""
        out = subprocess.run(["curl", "-s", f"http://127.0.0.1:{self.port}/stub"],
                             capture_output=True, text=True, check=False).stdout
        m = re.search(r"^\s*(\d+)\s+(\d+)\s+(\d+)\s*$", out, re.M)
        return m and (int(m.group(1)), int(m.group(3)))


def start_perigee(directory, port, origin, certificate):
    (directory / "perigee.yaml").write_text(
        f"""http: {{access_log: ""}}
edges:
  bench: {{location: "50,8", addresses: [127.0.0.1], listen: ["127.0.0.1:{port}"]}}
origins:
  app: {{servers: ["127.0.0.1:{origin.port}"], health: {{enabled: false}}}}
sites:
  www:
    hosts: [{HOST}]
    certificates: [{{certificate: {certificate[0]}, key: {certificate[1]}}}]
    routes: [{{path: /, origin: app}}]
"""
    )
    return [perigee.EDGE, "--config", directory / "perigee.yaml", "--node", "bench", "--workers", "1",
            "--control", directory / "control"]


def start_nginx(directory, port, origin, certificate):
    (directory / "nginx.conf").write_text(
        f"""daemon off; worker_processes 1; pid {directory}/pid; error_log {directory}/error.log;
events {{ worker_connections 8192; multi_accept on; }}
http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 600s;
 upstream app {{ server 127.0.0.1:{origin.port}; keepalive 256; keepalive_requests 100000000; }}
 server {{ listen 127.0.0.1:{port} ssl http2 backlog=4096;
  ssl_certificate {certificate[0]}; ssl_certificate_key {certificate[1]};
  ssl_protocols TLSv1.2 TLSv1.3; ssl_conf_command Ciphersuites {CIPHER};
  ssl_ecdh_curve X25519; ssl_session_tickets on;
  location / {{ proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection "";
   proxy_set_header Host $host; }} }} }}
"""
    )
    return ["nginx", "-p", directory, "-e", directory / "error.log", "-c", directory / "nginx.conf"]


def start_haproxy(directory, port, origin, certificate):
    pem = directory / "site.pem"
    pem.write_text(certificate[0].read_text() + certificate[1].read_text())
    (directory / "haproxy.cfg").write_text(
        f"""global
 nbthread 1
 maxconn 8000
 ssl-default-bind-ciphersuites {CIPHER}
 ssl-default-bind-curves X25519
 tune.ssl.default-dh-param 2048
defaults
 mode http
 timeout connect 3s
 timeout client 60s
 timeout server 60s
frontend f
 bind 127.0.0.1:{port} ssl crt {pem} alpn h2,http/1.1
 default_backend b
backend b
 http-reuse always
 server s 127.0.0.1:{origin.port} pool-max-conn 256
"""
    )
    return ["haproxy", "-f", directory / "haproxy.cfg"]


SERVERS = {"perigee": (perigee.EDGE, start_perigee), "nginx": ("nginx", start_nginx),
           "haproxy": ("haproxy", start_haproxy)}


def run_wrk(port, core, seconds):
    out = subprocess.run(
        pinned(core, ["wrk", "-c64", "-t1", f"-d{seconds}s", "-H", f"Host: {HOST}",
                      f"https://127.0.0.1:{port}/"]),
        capture_output=True, text=True, check=False).stdout
    total = re.search(r"(\d+) requests in", out)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    if not total or not rate or "Socket errors" in out or "Non-2xx" in out:
        raise Wrong(f"wrk saw errors:\n{out}")
    return int(total.group(1)), float(rate.group(1))


def h2load(port, core, requests):
    out = subprocess.run(
        pinned(core, ["h2load", "--h1", "-c64", "-t1", "-n", requests,
                      f"--connect-to=127.0.0.1:{port}", f"https://{HOST}:{port}/"]),
        capture_output=True, text=True, check=False, timeout=300).stdout
    m = re.search(r"requests: (\d+) total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed, "
                  r"(\d+) errored, (\d+) timeout", out)
    rate = re.search(r"finished in [\d.]+m?s, ([\d.]+) req/s", out)
    if not m or not rate or int(m.group(3)) != requests:
        raise Wrong(f"h2load saw errors:\n{out}")
    return int(m.group(3)), float(rate.group(1))


def run_h2load(port, core, seconds):
    """By count: h2load 1.52 does not end with --h1 and --duration (found by use)."""
    _, rate = h2load(port, core, 6400)
    return h2load(port, core, int(rate * seconds))


LOADS = {"wrk -c64": run_wrk, "h2load --h1 -c64": run_h2load}


def verify(name, port, authority):
    out = subprocess.run(
        ["curl", "-sS", "--http1.1", "--cacert", authority.certificate, "--resolve",
         f"{HOST}:{port}:127.0.0.1", f"https://{HOST}:{port}/"],
        capture_output=True, text=True, check=False)
    if out.stdout != BODY:
        raise Wrong(f"{name} gave a wrong answer: {out.stderr}{out.stdout[:200]!r}")


def measure(name, load, directory, origin, certificate, authority, cores, seconds):
    port = free_port(["127.0.0.1"])
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=directory))
    argv = SERVERS[name][1](folder, port, origin, certificate)
    process = perigee.Process(pinned(cores[0], argv), folder / "log")
    try:
        def answers():
            if not process.running():
                raise Wrong(f"{name} ended:\n{process.log()[-2000:]}")
            try:
                verify(name, port, authority)
                return True
            except Wrong:
                return False

        perigee.wait_for(answers, f"{name} to answer rightly")
        before, connections = cpu_seconds(process.pid), origin.counts()
        requests, rate = LOADS[load](port, cores[1], seconds)
        cpu, after = cpu_seconds(process.pid) - before, origin.counts()
    finally:
        process.stop(expect=None)
    # The last question about the counts is itself one connection and one request.
    opened, asked = after[0] - connections[0] - 1, after[1] - connections[1] - 1
    return {"requests": requests, "requests_per_second": rate, "cpu_us": cpu / requests * 1e6,
            "origin_reuse": 1 - opened / asked}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(SERVERS), help="servers, with commas between")
    parser.add_argument("--json", help="also write the figures to this file")
    args = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        print("needs two processors", file=sys.stderr)
        return 1
    for tool in ("wrk", "h2load", "nginx", "taskset", "curl"):
        if not shutil.which(tool):
            print(f"{tool} is missing: apt-get install wrk nghttp2-client nginx-light haproxy "
                  "util-linux curl", file=sys.stderr)
            return 1
    names = args.only.split(",")
    for name in [n for n in names if not shutil.which(str(SERVERS[n][0]))]:
        print(f"{name}: skipped, not installed")
        names.remove(name)

    directory = Path(tempfile.mkdtemp(prefix="perigee-bench-"))
    directory.chmod(0o755)  # nginx's workers run as another user
    figures = {}
    origin = None
    try:
        authority = perigee.Authority(directory / "ca")
        certificate = authority.issue("www", [HOST])
        origin = Origin(directory / "origin", cores[1])
        for turn in range(args.rounds):
            for load in LOADS:
                for name in names:
                    f = measure(name, load, directory, origin, certificate, authority, cores,
                                args.seconds)
                    figures.setdefault((load, name), []).append(f)
                    print(f"round {turn + 1}/{args.rounds}  {load:<18} {name:<8} "
                          f"{f['requests_per_second']:>9,.0f} req/s  {f['cpu_us']:6.2f} us/req  "
                          f"reuse {f['origin_reuse']:.4%}", flush=True)
    except (Wrong, TimeoutError, AssertionError) as e:
        print(f"failed: {e}\n(files in {directory})", file=sys.stderr)
        return 1
    finally:
        if origin:
            origin.process.stop(expect=None)

    print(f"\nHTTPS h1 -> h1, 1 KiB, one worker on one core, median (min-max) of {args.rounds} "
          f"rounds of {args.seconds} s")
    print(f"{'load':<18} {'server':<8} {'req/s':>9} {'CPU us/req':>22} {'vs best peer':>13} "
          f"{'origin reuse':>13}")
    code, table = 0, []
    for load in LOADS:
        medians = {n: statistics.median(f["cpu_us"] for f in figures[load, n]) for n in names}
        peers = [m for n, m in medians.items() if n != "perigee"]
        for name in names:
            runs = figures[load, name]
            cpu = [f["cpu_us"] for f in runs]
            reuse = min(f["origin_reuse"] for f in runs)
            rate = statistics.median(f["requests_per_second"] for f in runs)
            ratio = medians[name] / min(peers) if name == "perigee" and peers else None
            table.append({"load": load, "server": name, "requests_per_second": rate,
                          "cpu_us": medians[name], "ratio": ratio, "origin_reuse": reuse})
            spread = f"{medians[name]:.2f} ({min(cpu):.2f}-{max(cpu):.2f})"
            print(f"{load:<18} {name:<8} {rate:>9,.0f} {spread:>22} "
                  f"{'' if ratio is None else format(ratio, '.2f'):>13} {reuse:>13.4%}")
            if name == "perigee" and reuse < REUSE_GOAL:
                print(f"short: reuse of origin connections is under {REUSE_GOAL:.1%}")
                code = 1
    if args.json:
        Path(args.json).write_text(json.dumps(table, indent=2) + "\n")
    shutil.rmtree(directory)
    return code


if __name__ == "__main__":
    sys.exit(main())
