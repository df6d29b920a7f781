# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo behind `./bootstrap run`: a whole fleet on loopback, from real processes.

One origin, three edges in different cities, one perigee-dns, certificates made on the spot and the
sample geo database. For clients in several cities it asks DNS as their resolver would (EDNS client
subnet), and sends a real HTTPS request through the edge it was told; then it stops an edge and
watches DNS move that edge's clients, and move them back. Exit code 0 only when all of it was seen.
"""

import argparse
import csv
import ipaddress
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import perigee

HOST = "www.example.com"
EDGES = {  # name: (city, latitude, longitude, loopback address)
    "fra1": ("Frankfurt", 50.11, 8.68, "127.0.1.1"),
    "nyc1": ("New York", 40.71, -74.01, "127.0.1.2"),
    "sin1": ("Singapore", 1.35, 103.82, "127.0.1.3"),
}
CLIENTS = ["Frankfurt", "London", "New York", "São Paulo", "Singapore", "Tokyo", "Sydney",
           "Johannesburg"]
CHECK_INTERVAL, CHECK_TIMEOUT, CHECK_COUNT = 0.5, 0.5, 2
# An edge may stop just after a probe succeeded; then `fall` probes must fail, each in at most its
# timeout; and the answer is asked for at intervals.
MOVE_LIMIT = CHECK_INTERVAL * (CHECK_COUNT + 1) * 1.1 + CHECK_TIMEOUT * CHECK_COUNT + 1.0
COLUMNS = (18, 12, 4, 5, 46, 6, 8, 11)


class Unseen(Exception):
    """Something that the demo promises did not happen."""


def row(*cells):
    print("  ".join(str(c).ljust(w) for c, w in zip(cells, COLUMNS)).rstrip(), flush=True)


def say(text):
    print(f"\n{text}", flush=True)


def free_port(addresses):
    """A port that is free on every one of the addresses."""
    while True:
        sockets = []
        try:
            port = 0
            for address in addresses:
                s = socket.socket()
                sockets.append(s)
                s.bind((address, port))
                port = s.getsockname()[1]
            return port
        except OSError:
            continue
        finally:
            for s in sockets:
                s.close()


def sample_clients():
    """(city, network) of the sample database, one for each of CLIENTS, IPv6 for the last."""
    networks = {}
    with open(perigee.SOURCE / "geo" / "sample" / "sample-city.csv", newline="") as f:
        for line in csv.DictReader(l for l in f if not l.startswith("#")):
            networks.setdefault(line["city"], []).append(ipaddress.ip_network(line["network"]))
    result = []
    for city in CLIENTS:
        of_city = networks.get(city)
        if not of_city:
            raise Unseen(f"the sample database has no network in {city}")
        v4 = [n for n in of_city if n.version == 4]
        result.append((city, (v4 or of_city)[0]))
    v6 = [n for n in networks[CLIENTS[0]] if n.version == 6]
    if v6:
        result.append((CLIENTS[0], v6[0]))
    return result


def write_fleet(directory, port, origin_port, certificate):
    edges = "".join(
        f"""  {name}:
    location: {lat},{lon}
    addresses: [{address}]
    listen: ["{address}:{port}"]
    control: {directory}/{name}.sock
    check: {{kind: https, interval: {CHECK_INTERVAL * 1000:.0f}ms, timeout: \
{CHECK_TIMEOUT * 1000:.0f}ms, rise: {CHECK_COUNT}, fall: {CHECK_COUNT}}}
"""
        for name, (_, lat, lon, address) in EDGES.items()
    )
    (directory / "example.com.zone").write_text(
        f"""$ORIGIN example.com.
$TTL 300
@    SOA ns1 hostmaster 1 3600 600 86400 60
@    NS  ns1
ns1  A   127.0.0.1
"""
    )
    fleet = directory / "perigee.yaml"
    fleet.write_text(
        f"""# The demo's fleet: what every node would carry.
http:
  access_log: {{output: {directory}/access.log}}
edges:
{edges}
nameservers:
  ns1:
    listen: ["127.0.0.1:0"]
    control: {directory}/ns1.sock
origins:
  app:
    servers: ["127.0.0.1:{origin_port}"]
    health: {{check: {{path: /health, interval: 1s, timeout: 500ms}}}}
sites:
  www:
    hosts: [{HOST}]
    certificates:
      - {{certificate: {certificate[0]}, key: {certificate[1]}}}
    routes:
      - {{path: /, origin: app}}
zones:
  example.com:
    file: example.com.zone
    steered:
      www: {{site: www, ttl: 10s}}
geo:
  database: {perigee.SAMPLE_MMDB}
  unknown: 50.11,8.68
"""
    )
    return fleet


class Fleet:
    def __init__(self, directory):
        self.directory = directory
        self.processes = {}
        self.by_address = {e[3]: name for name, e in EDGES.items()}

    def start(self):
        directory = self.directory
        self.port = free_port([e[3] for e in EDGES.values()])
        self.authority = perigee.Authority(directory / "ca")
        certificate = self.authority.issue("www", [HOST])
        self.origin = self.processes["origin"] = perigee.Origin(directory / "origin.log")
        self.file = write_fleet(directory, self.port, self.origin.port, certificate)
        for name in EDGES:
            self.start_edge(name, wait=False)
        for name in EDGES:
            self.processes[name].wait_serving()
        self.dns = self.processes["ns1"] = perigee.Daemon(
            perigee.DNS, self.file, "ns1", directory, args=["--workers", "1"]
        )
        self.dns_port = self.dns.addresses()[0][1]

    def start_edge(self, name, wait=True):
        self.processes[name] = perigee.Daemon(
            perigee.EDGE, self.file, name, self.directory, args=["--workers", "1"], wait=wait
        )

    def stop(self):
        """Ends what still runs; returns complaints."""
        faults = []
        for process in reversed(list(self.processes.values())):
            try:
                if process.running():
                    process.stop(expect=None if process is self.origin else 0)
            except AssertionError as e:
                faults.append(str(e))
        return faults

    def ask(self, network):
        """The edge that DNS gives to a client in `network`, and the scope: (name, scope)."""
        out = subprocess.run(
            ["kdig", "@127.0.0.1", "-p", str(self.dns_port), HOST, "A", f"+subnet={network}",
             "+noidn", "+timeout=2", "+retry=2"],
            capture_output=True, text=True, check=False,
        ).stdout
        answer = re.search(rf"^{re.escape(HOST)}\.\s+\d+\s+IN\s+A\s+(\S+)$", out, re.M)
        scope = re.search(r"CLIENT-SUBNET: \S+/\d+/(\d+)", out)
        if not answer or not scope:
            raise Unseen(f"DNS gave no answer with a client subnet for {network}:\n{out}")
        return self.by_address[answer.group(1)], int(scope.group(1))

    def explain(self, network):
        """Why: distances of the chosen edge and of the next, as text."""
        e = perigee.control(self.dns.control_path, f"explain {HOST} A {network}")
        up = [c for c in e["candidates"] if c["state"] == "up" and c["admin"] == "active"]
        up.sort(key=lambda c: c["distance_km"])
        text = f"{up[0]['distance_km']:,.0f} km"
        if len(up) > 1:
            text += f"; next {up[1]['edge']} {up[1]['distance_km']:,.0f} km"
        down = [c["edge"] for c in e["candidates"] if c["state"] != "up"]
        if down:
            text += f"; {','.join(down)} down"
        return e["chosen"], up[0]["edge"], text

    def fetch(self, edge):
        """A real HTTPS request through an edge: (status, handshake ms, origin connection reused)."""
        out = subprocess.run(
            ["curl", "--silent", "--show-error", "--max-time", "10", "--http1.1",
             "--cacert", self.authority.certificate, "--output", "/dev/null",
             "--dump-header", "-",
             "--resolve", f"{HOST}:{self.port}:{EDGES[edge][3]}",
             "--write-out", "timing %{time_connect} %{time_appconnect}\n",
             f"https://{HOST}:{self.port}/"],
            capture_output=True, text=True, check=False,
        )
        status = re.search(r"^HTTP/1.1 (\d+)", out.stdout, re.M)
        timing = re.search(r"^timing (\S+) (\S+)$", out.stdout, re.M)
        link = re.search(r"^Origin-Connection: \d+; request=(\d+)", out.stdout, re.M | re.I)
        if not status or status.group(1) != "200" or not link:
            raise Unseen(f"the request through {edge} failed: {out.stderr}{out.stdout}")
        handshake = (float(timing.group(2)) - float(timing.group(1))) * 1000
        return int(status.group(1)), handshake, int(link.group(1)) > 1


def serve_client(fleet, city, network, tally):
    chosen, scope = fleet.ask(network)
    explained, nearest, why = fleet.explain(network)
    status, handshake, reused = fleet.fetch(chosen)
    row(network, city, chosen, f"/{scope}", why, status, f"{handshake:.1f} ms",
        "reused" if reused else "new")
    if not chosen == explained == nearest:
        raise Unseen(f"{network}: DNS chose {chosen}, explain says {explained}, nearest healthy "
                     f"is {nearest}")
    tally["requests"] += 1
    tally["reused"] += reused
    return chosen


def header():
    row("CLIENT SUBNET", "CITY", "EDGE", "SCOPE", "WHY: DISTANCE OF THE EDGE", "STATUS",
        "TLS", "ORIGIN LINK")
    row(*("-" * w for w in COLUMNS))


def watch_move(fleet, network, until, what):
    """Seconds until DNS's answer for `network` satisfies until(edge)."""
    began = time.monotonic()
    while True:
        edge, _ = fleet.ask(network)
        took = time.monotonic() - began
        if until(edge):
            return edge, took
        if took > MOVE_LIMIT:
            raise Unseen(f"{what}: DNS still says {edge} after {took:.1f} s "
                         f"(the check allows {MOVE_LIMIT:.1f} s)")
        time.sleep(0.05)


def show(fleet):
    tally = {"requests": 0, "reused": 0}
    clients = sample_clients()
    say("1. Each client asks DNS, and sends an HTTPS request through the edge it is told:\n")
    header()
    first = {n: serve_client(fleet, c, n, tally) for c, n in clients}
    if set(first.values()) != set(EDGES):
        raise Unseen(f"only {sorted(set(first.values()))} were chosen")

    victim = first[clients[0][1]]
    moved = [(c, n) for c, n in clients if first[n] == victim]
    say(f"2. {victim} is stopped; DNS moves its clients to the next nearest edge "
        f"(checks: every {CHECK_INTERVAL} s, {CHECK_COUNT} failures):\n")
    fleet.processes[victim].stop()
    _, away = watch_move(fleet, moved[0][1], lambda e: e != victim, f"{victim} stopped")
    header()
    second = {n: serve_client(fleet, c, n, tally) for c, n in clients}
    for city, network in clients:
        if second[network] == victim:
            raise Unseen(f"{network} is still sent to {victim}")
        if first[network] != victim and second[network] != first[network]:
            raise Unseen(f"{network} was moved from {first[network]} for no reason")
    print(f"\nmoved after {away:.1f} s")

    say(f"3. {victim} is started again; its clients move back:\n")
    fleet.start_edge(victim)
    _, back = watch_move(fleet, moved[0][1], lambda e: e == victim, f"{victim} started")
    header()
    third = {n: serve_client(fleet, c, n, tally) for c, n in clients}
    if third != first:
        raise Unseen(f"the clients did not come back: {third}")
    print(f"\nmoved back after {back:.1f} s")

    edges = {second[n] for _, n in moved}
    return (f"seen: {len(clients)} clients served by their nearest healthy edge; {victim} stopped: "
            f"its {len(moved)} clients moved to {' and '.join(sorted(edges))} in {away:.1f} s, and "
            f"back in {back:.1f} s; {tally['reused']} of {tally['requests']} requests went over an "
            f"origin connection that was already open")


def stay(fleet):
    directory = fleet.directory
    say("Try:\n")
    print(f"  kdig @127.0.0.1 -p {fleet.dns_port} {HOST} A +subnet={sample_clients()[0][1]}")
    print(f"  curl --cacert {fleet.authority.certificate} --resolve "
          f"{HOST}:{fleet.port}:{EDGES['fra1'][3]} https://{HOST}:{fleet.port}/fields")
    print(f"  {perigee.CTL} status {directory}/fra1.sock")
    print(f"  {perigee.CTL} status {directory}/ns1.sock")
    print(f"  {perigee.CTL} explain {directory}/ns1.sock {HOST} A {sample_clients()[0][1]}")
    print(f"  cat {fleet.file}")
    try:
        say("The fleet stays up until Ctrl-C.")
        signal.pause()
    except KeyboardInterrupt:
        print()


def main():
    parser = argparse.ArgumentParser(prog="bootstrap run", description=__doc__.split("\n")[0])
    parser.add_argument("--stay", action="store_true", help="leave it running until Ctrl-C")
    stay_up = parser.parse_args().stay
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # What is started in the background finds it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    directory = Path(tempfile.mkdtemp(prefix="perigee-demo-"))
    fleet = Fleet(directory)
    code = 1
    try:
        print("Perigee: one origin, three edges (" +
              ", ".join(f"{n} {e[0]}" for n, e in EDGES.items()) + "), geo DNS, on loopback.")
        fleet.start()
        last = show(fleet)
        code = 0
        if stay_up:
            print(f"\n{last}")
            stay(fleet)
    except (Unseen, AssertionError, TimeoutError, OSError) as e:
        last = f"NOT SEEN: {e}"
    finally:
        faults = fleet.stop()
    for fault in faults:
        code = 1
        last = f"NOT SEEN: an orderly stop: {fault}"
    if code == 0:
        shutil.rmtree(directory)
    else:
        last += f"\n(logs are in {directory})"
    print(f"\n{last}", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
