# SPDX-License-Identifier: GPL-3.0-or-later
"""The works of TLS edges: handshakes, requests, a large file, idle connections, reuse of origin
connections.
"""

import contextlib
import filecmp
import functools
import json
import re
import resource
import statistics
import subprocess
import sys
import time
import zlib

import measure
import waits
from demo import free_port
from edges import EDGES, Edge, Setup
from measure import BIG, BODY, HOST, Wrong
from work import Figure, Sample, Work, costed, one


def curl(bench, port, *args, path="/"):
    return measure.output_of(bench.load_core, [
        "curl", "-sS", "--max-time", "20", "--cacert", bench.authority.certificate, "--resolve",
        f"{HOST}:{port}:127.0.0.1", *args, f"https://{HOST}:{port}{path}"])


def verify_edge(bench, name, port, h2, origin_tls):
    """Status, body, certificate, protocol on both sides, and that the origin is told of the client."""
    out = curl(bench, port, "--http2" if h2 else "--http1.1",
               "-w", "\n%{http_code} %{http_version}")
    body, _, rest = out.rpartition("\n")
    if body != BODY or rest != ("200 2" if h2 else "200 1.1"):
        raise Wrong(f"{name} answered {rest} {body[:100]!r}")
    if name != "hitch":  # which passes bytes on
        told = curl(bench, port, path="/forwarded")
        if told != f"127.0.0.1 https over {'https' if origin_tls else 'http'}":
            raise Wrong(f"{name} told the origin {told!r} of the client")


@contextlib.contextmanager
def edge(bench, name, kind="ecdsa", workers=1, h2=False, origin_tls=False, origin_h2=False,
         gzip=False, echo="", keys="place: process", origin=None):
    port = free_port(["127.0.0.1"])
    folder = measure.folder(bench.directory, name)
    if origin is None:
        origin = bench.origin.tls_port if origin_tls else bench.origin.port
        origin = bench.origin.h2_port if origin_h2 else origin
    origin_tls |= origin_h2
    setup = Setup(folder, f"127.0.0.1:{port}", f"127.0.0.1:{origin}",
                  bench.certificates[kind], HOST, workers,
                  bench.authority.certificate if origin_tls else None, origin_h2, echo, gzip,
                  keys)
    with measure.running(name, EDGES.get(name, EDGES["perigee"]).command(setup), bench.server_core,
                         lambda: verify_edge(bench, name, port, h2, origin_tls),
                         folder / "log") as process:
        yield process, port


def tlsload(bench, port, seconds, *args):
    found = measure.load(bench.load_core, [
        measure.TLSLOAD, "--seconds", seconds, "--name", HOST, *args, f"127.0.0.1:{port}"])
    if found["errors"] or not found["operations"]:
        raise Wrong(f"of {found['operations']} connections {found['errors']} failed; the first: "
                    f"{found['first_error']}")
    return found


def expect_counts(name, seen, asked, at_once, unfinished):
    """The origin saw as many requests as clients got answers, but for those that were broken off
    at the end; and little more connections than there were requests at once, but for hitch, which
    has one for each client."""
    if not asked <= seen["requests"] <= asked + unfinished:
        raise Wrong(f"{name}: clients got {asked} answers, the origin gave {seen['requests']}")
    if name != "hitch" and seen["connections"] > at_once + asked / 100:
        raise Wrong(f"{name} opened {seen['connections']} origin connections for {asked} requests")


def handshakes(kind, resume):
    def run(bench, name):
        extra = ["--resume"] if resume else []
        with edge(bench, name, kind) as (process, port), bench.origin.counting() as seen:
            found = {}

            def go():
                found.update(tlsload(bench, port, bench.seconds, *extra))
                return found["operations"]

            sample = costed(bench, process, go)
        # The connection that brings the first ticket is not an operation.
        expect_counts(name, seen, found["operations"], at_once=32, unfinished=int(resume))
        if found["resumed"] != (found["operations"] if resume else 0):
            raise Wrong(f"{name} resumed {found['resumed']} of {found['operations']}")
        return sample

    return run


def signed_handshakes(bench, name):
    """Full handshakes with the key in the signer; of "in-process" with the key in the edge."""
    place = "signer" if name == "perigee" else "process"
    with edge(bench, name, keys=f"place: {place}") as (process, port):
        return costed(bench, process, lambda: tlsload(bench, port, bench.seconds)["operations"])


@contextlib.contextmanager
def keys_server(bench):
    """perigee-keys where the load is, as if on another machine; and what an edge that asks it has as
    tls.keys."""
    folder = measure.folder(bench.directory, "perigee-keys")
    server, own = (bench.authority.issue(f"keys-{name}", [name], usage=usage)
                   for name, usage in (("127.0.0.1", "serverAuth"), ("bench", "clientAuth")))
    certificate, key = bench.certificates["ecdsa"]
    port = free_port(["127.0.0.1"])

    def options(pair):
        return (f'place: remote, servers: ["127.0.0.1:{port}"], certificate: {pair[0]}, '
                f'key: {pair[1]}, ca: {bench.authority.certificate}')

    (folder / "perigee.yaml").write_text(f"""
tls: {{keys: {{{options(server)}, listen: "127.0.0.1:{port}"}}}}
edges: {{bench: {{location: "50,8", addresses: [127.0.0.1]}}}}
origins: {{app: {{servers: ["127.0.0.1:1"]}}}}
sites:
  www: {{hosts: [{HOST}], certificates: {{certificate: {certificate}, key: {key}}},
        routes: {{path: /, origin: app}}}}
""")
    # It has what the edge needs by the time the edge gives a right answer.
    with measure.running("perigee-keys", [
            measure.project.KEYS, "--config", folder / "perigee.yaml", "--control",
            folder / "control"], bench.load_core, lambda: None, folder / "log") as process:
        yield process, options(own)


def remote_handshakes(bench, name):
    """Full handshakes with the key in perigee-keys, whose share is told beside; of "in-process" with
    the key in the edge."""
    def load(port):
        return tlsload(bench, port, bench.seconds)["operations"]

    if name != "perigee":
        with edge(bench, name) as (process, port):
            return costed(bench, process, lambda: load(port))
    with keys_server(bench) as (keys, options), edge(bench, name, keys=options) as (process, port):
        before = measure.cpu_of(keys.pid).total
        sample = costed(bench, process, lambda: load(port))
        sample.more["keys"] = (measure.cpu_of(keys.pid).total - before) / sample.more["count"] * 1e6
        return sample


def run_wrk(bench, port, path="/", coding="identity"):
    out = measure.output_of(bench.load_core, [
        "wrk", "-c64", "-t1", f"-d{max(1, round(bench.seconds))}s", "-H", f"Host: {HOST}",
        "-H", f"Accept-Encoding: {coding}", f"https://127.0.0.1:{port}{path}"])
    total = re.search(r"(\d+) requests in", out)
    if not total or "Socket errors" in out or "Non-2xx" in out:
        raise Wrong(f"wrk saw errors:\n{out}")
    return int(total.group(1))


def run_h2load(bench, port):
    out = measure.output_of(bench.load_core, [
        "h2load", "-c16", "-m32", "-t1", "-D", max(1, round(bench.seconds)),
        f"--connect-to=127.0.0.1:{port}", f"https://{HOST}:{port}/"])
    m = re.search(r"requests: \d+ total, \d+ started, \d+ done, (\d+) succeeded, (\d+) failed, "
                  r"(\d+) errored, (\d+) timeout", out)
    if not m or any(int(m.group(i)) for i in (2, 3, 4)) or "Application protocol: h2" not in out:
        raise Wrong(f"h2load saw errors:\n{out}")
    return int(m.group(1))


def requests(generator, at_once, **options):
    """`at_once`: how many requests the generator has under way, and breaks off at the end."""
    def run(bench, name):
        with edge(bench, name, **options) as (process, port), bench.origin.counting() as seen:
            sample = costed(bench, process, lambda: generator(bench, port))
        expect_counts(name, seen, sample.more["count"], at_once, at_once)
        return sample

    return run


def bulk(bench, name, h2=False):
    """Several transfers over one connection; the content is compared once. CPU s for each GB."""
    transfers = max(1, round(bench.seconds * 4))
    version = "--http2" if h2 else "--http1.1"
    with edge(bench, name, h2=h2) as (process, port):
        passed_on = measure.folder(bench.directory, name) / "big"
        curl(bench, port, version, "-o", passed_on, path="/big")
        if not filecmp.cmp(passed_on, bench.origin.directory / "big", shallow=False):
            raise Wrong(f"{name} did not pass the file on as it is")
        passed_on.unlink()

        def go():
            # The first -o /dev/null and URL are the last of these.
            more = ["-o", "/dev/null", f"https://{HOST}:{port}/big"] * (transfers - 1)
            out = curl(bench, port, version, "-w",
                       "%{http_code} %{size_download} %{num_connects}\n", *more, "-o", "/dev/null",
                       path="/big").split("\n")[:-1]
            if out != [f"200 {BIG} 1"] + [f"200 {BIG} 0"] * (transfers - 1):
                raise Wrong(f"{name}: transfers ended as {out}")
            return transfers

        sample = costed(bench, process, go)
    gb = BIG / 1e9
    return Sample(sample.figure / 1e6 / gb,
                  {"user": sample.more["user"] / 1e6 / gb,
                   "system": sample.more["system"] / 1e6 / gb, "count": transfers})


def idle(bench, name, h2=False):
    """Memory that each kept connection adds, after one request over it."""
    connections = bench.connections
    if h2:  # twice as many, where descriptors allow; Perigee wants two and a half for each
        connections = min(2 * connections, resource.getrlimit(resource.RLIMIT_NOFILE)[0] * 3 // 8)
    with edge(bench, name, h2=h2) as (process, port):
        before = measure.memory_of(process.pid, "Pss_Anon")
        child = subprocess.Popen(
            measure.pinned(bench.load_core, [measure.TLSLOAD, *(["--h2"] if h2 else []), "--hold",
                                             connections, "--name", HOST, f"127.0.0.1:{port}"]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            found = json.loads(child.stdout.readline() or "{}")
            after = measure.memory_of(process.pid, "Pss_Anon")
            child.stdin.close()
            found.update(json.loads(child.stdout.readline() or "{}"))
            child.wait(timeout=30)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
            child.stdout.close()
        if found.get("held") != connections or found["still_open"] != connections:
            raise Wrong(f"{name} was to hold {connections} connections: {found}")
    return Sample((after - before) / connections / 1000,
                  {"before_mb": before / 1e6, "after_mb": after / 1e6, "count": connections})


ZLIB = """
import pathlib, sys, time, zlib
content = pathlib.Path(sys.argv[1]).read_bytes()
end, count = time.monotonic() + float(sys.argv[2]), 0
began = time.process_time()
while time.monotonic() < end:
    z = zlib.compressobj(4, zlib.DEFLATED, 15 + 16)
    z.compress(content) + z.flush()
    count += 1
print((time.process_time() - began) / count * 1e6)
"""


def gzip_cost(bench, name):
    """What a response of 32 KiB costs more when it is compressed; of zlib, what that alone costs."""
    if name == "zlib":
        return Sample(float(measure.output_of(bench.server_core, [
            sys.executable, "-c", ZLIB, bench.origin.directory / "json", bench.seconds])))
    with edge(bench, name, gzip=True) as (process, port):
        verify_gzip(bench, name, port)
        plain = costed(bench, process, lambda: run_wrk(bench, port, "/json"))
        packed = costed(bench, process, lambda: run_wrk(bench, port, "/json", "gzip"))
    return Sample(packed.figure - plain.figure,
                  {"user": packed.more["user"] - plain.more["user"],
                   "system": packed.more["system"] - plain.more["system"],
                   "count": packed.more["count"], "busy": packed.more["busy"]})


def verify_gzip(bench, name, port):
    packed = measure.folder(bench.directory, name) / "json.gz"
    curl(bench, port, "-H", "Accept-Encoding: gzip", "-o", packed, path="/json")
    wanted = (bench.origin.directory / "json").read_bytes()
    alone = len(zlib.compress(wanted, 4))
    content = packed.read_bytes()
    if content[:2] != b"\x1f\x8b" or zlib.decompress(content, 15 + 16) != wanted:
        raise Wrong(f"{name} did not compress by gzip")
    if not 0.95 * alone < len(content) < 1.05 * alone:
        raise Wrong(f"{name} made {len(content)} bytes where level 4 makes {alone}")


def urgent(bench, name):
    """How many times as long as alone an urgent stream takes among 99 bulk ones. Each try has a new
    connection; both kinds alternate, so that neither has the quieter time."""
    def last_byte(port, bulk):
        found = measure.load(bench.load_core, [
            measure.STREAMS, "--name", HOST, "--path", "/megabyte", "--body", 1_000_000, "--bulk",
            bulk, f"127.0.0.1:{port}"])
        if not found["ok"]:
            raise Wrong(f"{name} did not answer all streams: {found}")
        return found["urgent_ms"]

    with edge(bench, name, h2=True) as (_, port):
        last_byte(port, 99)  # opens connections to the origin
        tries = [(last_byte(port, 0), last_byte(port, 99)) for _ in range(9)]
    alone, among = (statistics.median(times) for times in zip(*tries))
    return Sample(among / alone, {"alone_ms": alone, "among_ms": among})


@contextlib.contextmanager
def echo_origin(bench):
    """The address of one."""
    address = f"127.0.0.1:{free_port(['127.0.0.1'])}"
    origin = subprocess.Popen([str(a) for a in measure.pinned(
        bench.load_core, [measure.MESSAGES, "--echo", address])], stdout=subprocess.PIPE, text=True)
    try:
        if not origin.stdout.readline():
            raise Wrong("the origin that echoes does not start")
        yield address
    finally:
        origin.kill()
        origin.wait()
        origin.stdout.close()


def messages(bench, name):
    """CPU time for a WebSocket message of 64 bytes and its echo."""
    with echo_origin(bench) as address, edge(bench, name, echo=address) as (process, port):
        clients = subprocess.Popen([str(a) for a in measure.pinned(bench.load_core, [
            measure.MESSAGES, "--seconds", bench.seconds, "--name", HOST, f"127.0.0.1:{port}"])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        def talk():
            found = json.loads(clients.communicate("\n", measure.CLIENT_PATIENCE)[0] or "{}")
            if found.get("errors") != 0:
                raise Wrong(f"{name} did not bring all echoes back: {found}")
            return found["messages"]

        try:
            if not clients.stdout.readline():
                raise Wrong(f"{name} made no tunnels for WebSockets")
            return costed(bench, process, talk)
        finally:
            clients.kill()
            clients.wait()


def reuse(workers):
    """Share of requests that went over an origin connection that was already open, in %: 2,000
    clients ask by a Poisson process, 500 times a second, a server that takes 20 ms for each answer
    and closes what was idle for 10 s. Counted by the server, once they have asked for as long; by
    default for 30 s."""
    def run(bench, name):
        seconds = 6 * bench.seconds
        server = waits.Server(measure.folder(bench.directory, f"{name}-origin"), "origin",
                              bench.certificates["ecdsa"], bench.load_core)
        try:
            with edge(bench, name, workers=workers, origin_tls=True, origin=server.port) as (_, port):
                clients = waits.Clients(port, CONNECTING + 2 * seconds + 5, bench.load_core)
                try:
                    time.sleep(CONNECTING + seconds)
                    before = server.counts()
                    time.sleep(seconds)
                    connections, asked = (b - a for a, b in zip(before, server.counts()))
                    found = clients.finish()
                finally:
                    clients.kill()
        finally:
            server.stop()
        if found["errors"] or asked < seconds * waits.RATE * 0.8:
            raise Wrong(f"{name}: {asked} requests, of the clients {found['errors']} failed: "
                        f"{found['first_error']}")
        return Sample(100 * (1 - connections / asked), {"connections": connections, "count": asked})

    return run


def flood(bench, name):
    """How many times as long as before, at the 99th percentile, requests over established
    connections take while 32 clients at a time make full handshakes by RSA-2048. Each of 16
    connections asks 10 ms after its last answer: that leaves the server's core nearly idle."""
    def established(port):
        found = tlsload(bench, port, bench.seconds, "--connections", 16, "--again", 10)
        return found["latency_ms"]["p99"]

    def crowd(port):
        # Where the load's core is short of time, those who measure come first.
        return subprocess.Popen([str(a) for a in measure.pinned(bench.load_core, [
            "nice", "-n", 15, measure.TLSLOAD, "--seconds", 3 * bench.seconds, "--name", HOST,
            f"127.0.0.1:{port}"])], stdout=subprocess.PIPE, text=True)

    with edge(bench, name, "rsa") as (_, port):
        quiet = established(port)
        clients = crowd(port)
        try:
            loaded = established(port)
            found = json.loads(clients.communicate(timeout=measure.CLIENT_PATIENCE)[0] or "{}")
        finally:
            clients.kill()
            clients.wait()
        if found.get("errors") != 0 or not found["operations"]:
            raise Wrong(f"{name} did not serve the crowd: {found}")
    return Sample(loaded / quiet, {"quiet_ms": quiet, "loaded_ms": loaded,
                                   "count": found["operations"] / found["seconds"]})


def pool(bench, name):
    """Median time to take an idle origin connection, and to give it back, with eight threads at it."""
    done = subprocess.run([measure.POOL], capture_output=True, text=True, check=False,
                          timeout=measure.CLIENT_PATIENCE)
    if done.returncode != 0:
        raise Wrong(f"bench-pool exited with {done.returncode}: {done.stderr}"[-1000:])
    found = json.loads(done.stdout)
    return {f"pool-{what}": Sample(found[f"{what}_us"], {"count": found["operations"]})
            for what in ("take", "give")}


# Seconds that 2,000 clients take for their handshakes.
CONNECTING = 8

EDGES_OF_TLS = ("perigee", "nginx", "haproxy", "hitch")
PROXIES = ("perigee", "nginx", "haproxy")
# What it costs without any server.
ZLIB_ALONE = Edge(sys.executable, None)
PASSES_ON = {"hitch": "passes bytes on, with an origin connection for each client"}

WORKS = [
    one("handshake-ecdsa", EDGES, "full handshake, ECDSA P-256", "us", EDGES_OF_TLS,
        handshakes("ecdsa", resume=False)),
    one("handshake-ecdsa-resumed", EDGES, "resumed handshake, ECDSA P-256", "us", EDGES_OF_TLS,
        handshakes("ecdsa", resume=True)),
    one("handshake-rsa", EDGES, "full handshake, RSA-2048", "us", EDGES_OF_TLS,
        handshakes("rsa", resume=False)),
    one("handshake-rsa-resumed", EDGES, "resumed handshake, RSA-2048", "us", EDGES_OF_TLS,
        handshakes("rsa", resume=True)),
    one("handshake-signer", {**EDGES, "in-process": EDGES["perigee"]},
        "full handshake by the signer, ECDSA P-256", "us", ("perigee", "in-process"),
        signed_handshakes),
    one("handshake-remote", {**EDGES, "in-process": EDGES["perigee"]},
        "full handshake by perigee-keys, ECDSA P-256", "us", ("perigee", "in-process"),
        remote_handshakes),
    one("handshake-flood", EDGES, "p99 of requests in a flood of RSA", "x quiet", EDGES_OF_TLS, flood),
    one("http-h1", EDGES, "1 KiB request, h1 -> h1", "us", EDGES_OF_TLS,
        requests(run_wrk, at_once=64), tools=("wrk",), lesser=PASSES_ON),
    one("http-h2", EDGES, "1 KiB request, h2 -> h1", "us", PROXIES,
        requests(run_h2load, at_once=16 * 32, h2=True), tools=("h2load",)),
    one("http-h1-tls", EDGES, "1 KiB request, h1 -> TLS h1", "us", PROXIES,
        requests(run_wrk, at_once=64, origin_tls=True), tools=("wrk",)),
    one("http-h2-h2", EDGES, "1 KiB request, h2 -> TLS h2", "us", PROXIES,
        requests(run_h2load, at_once=16 * 32, h2=True, origin_h2=True), tools=("h2load",)),
    one("http-bulk", EDGES, "100 MB over one connection", "s/GB", EDGES_OF_TLS, bulk),
    one("h2-bulk", EDGES, "100 MB over one h2 stream", "s/GB", PROXIES,
        functools.partial(bulk, h2=True)),
    one("http-idle", EDGES, "idle connection", "KB", EDGES_OF_TLS, idle),
    one("h2-idle", EDGES, "idle h2 connection", "KB", PROXIES, functools.partial(idle, h2=True)),
    one("h2-urgent", EDGES, "urgent h2 stream among 99 others", "x alone", PROXIES, urgent),
    one("messages", EDGES, "WebSocket message and echo", "us", PROXIES, messages),
    one("gzip", {**EDGES, "zlib": ZLIB_ALONE}, "gzip of 32 KiB of JSON", "us",
        ("perigee", "nginx", "zlib"), gzip_cost, tools=("wrk",)),
    one("http-reuse-1", EDGES, "origin connections reused, 1 worker", "%", PROXIES, reuse(1),
        more_is_better=True, tools=("haproxy",)),
    Work("pool", {"perigee": EDGES["perigee"]}, ("perigee",),
         (Figure("pool-take", "take an idle origin connection, 8 threads", "us"),
          Figure("pool-give", "give it back", "us")), pool),
    one("http-reuse-4", EDGES, "origin connections reused, 4 workers", "%", PROXIES, reuse(4),
        more_is_better=True, tools=("haproxy",)),
]
