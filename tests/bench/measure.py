# SPDX-License-Identifier: GPL-3.0-or-later
"""How a server is run alone on one core and what it costs: start, wait until it answers, CPU and
memory of its processes. And the origin, an nginx that counts what reaches it.
"""

import contextlib
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import perigee as project  # noqa: E402
from demo import free_port  # noqa: E402
from edges import CIPHER, nginx_temp  # noqa: E402

HOST = "www.example.com"
BODY = "x" * 1024
WORDS = ("alpine basket candle drawer engine filter garden hammer island jacket kettle ladder "
         "mirror needle orange pencil quiver ribbon silver ticket").split()
BIG = 100_000_000
# As an API answers: a list of things with names, numbers and times, 32 KiB.
JSON = json.dumps([
    {"id": 7919 * i % 100_003, "name": f"{random.Random(i).choice(WORDS)} {i}",
     "price": round(random.Random(i).random() * 500, 2), "available": i % 3 == 0,
     "updated": f"2026-0{i % 9 + 1}-{i % 28 + 1:02}T{i % 24:02}:{7 * i % 60:02}:00Z",
     "tags": random.Random(i).sample(WORDS, 3)}
    for i in range(400)])[:32768]
# No client runs for so long; one that does hangs.
CLIENT_PATIENCE = 120
STREAMS = project.BUILD / "tests" / "bench" / "bench-streams"
MESSAGES = project.BUILD / "tests" / "bench" / "bench-messages"
POOL = project.BUILD / "tests" / "bench" / "bench-pool"
CHECKS = project.BUILD / "tests" / "bench" / "bench-checks"
TLSLOAD = project.BUILD / "tests" / "bench" / "bench-tlsload"
DNSLOAD = project.BUILD / "tests" / "bench" / "bench-dnsload"


class Wrong(Exception):
    """A server gave a wrong answer, or a figure would not mean what it says."""


@dataclass(frozen=True)
class Cpu:
    user: float  # seconds
    system: float

    def __sub__(self, earlier):
        return Cpu(self.user - earlier.user, self.system - earlier.system)

    @property
    def total(self):
        return self.user + self.system


def process_tree(pid):
    """The process and all its living descendants."""
    pids = [pid]
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                pids += process_tree(int(child))
    return pids


def cpu_of(pid):
    """User and system time of a process and its living descendants, from /proc (proc(5))."""
    ticks = [0, 0]
    for p in process_tree(pid):
        fields = Path(f"/proc/{p}/stat").read_text().rpartition(")")[2].split()
        ticks[0] += int(fields[11])
        ticks[1] += int(fields[12])
    return Cpu(*(t / os.sysconf("SC_CLK_TCK") for t in ticks))


def memory_of(pid, kind="Pss"):
    """Bytes that a process and its descendants hold. Pss: what they share with others is divided.
    Pss_Anon: without files and libraries, whose share depends on who else has them."""
    total = 0
    for p in process_tree(pid):
        rollup = Path(f"/proc/{p}/smaps_rollup").read_text()
        total += int(re.search(rf"^{kind}:\s+(\d+) kB", rollup, re.M).group(1)) * 1024
    return total


def pinned(core, argv):
    return ["taskset", "-c", str(core), *map(str, argv)]


def output_of(core, argv):
    """Runs a client on `core`; its standard output, or Wrong with what it said."""
    done = subprocess.run(pinned(core, argv), capture_output=True, text=True, check=False,
                          timeout=CLIENT_PATIENCE)
    if done.returncode != 0:
        raise Wrong(f"{argv[0]} exited with {done.returncode}: {done.stderr}{done.stdout}"[-1000:])
    return done.stdout


class Origin:
    """nginx on the load's core: 1 KiB from memory, a large file, HTTP and HTTPS, the latter by HTTP/2
    too, and its counts."""

    def __init__(self, directory, core, certificate):
        directory.mkdir()
        self.port, self.tls_port, self.h2_port = (free_port(["127.0.0.1"]) for _ in range(3))
        (directory / "big").write_bytes(os.urandom(1_000_000) * (BIG // 1_000_000))
        (directory / "json").write_text(JSON)
        (directory / "megabyte").write_bytes(os.urandom(1_000_000))
        (directory / "nginx.conf").write_text(
            f"""daemon off; worker_processes 1; pid {directory}/pid; error_log {directory}/error.log;
events {{ worker_connections 8192; }}
http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 600s; sendfile on;
 {nginx_temp(directory)}
 server {{ listen 127.0.0.1:{self.port} backlog=4096 reuseport;
  listen 127.0.0.1:{self.tls_port} ssl backlog=4096 reuseport;
  listen 127.0.0.1:{self.h2_port} ssl http2 backlog=4096 reuseport;
  ssl_certificate {certificate[0]}; ssl_certificate_key {certificate[1]};
  ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites {CIPHER};
  default_type text/plain;
  location / {{ return 200 "{BODY}"; }}
  location = /big {{ root {directory}; }}
  location = /megabyte {{ root {directory}; }}
  location = /json {{ root {directory}; default_type application/json; }}
  location = /forwarded {{ return 200 "$http_x_forwarded_for $http_x_forwarded_proto over $scheme"; }}
  location = /stub {{ stub_status; }} }} }}
"""
        )
        self.directory = directory
        self.process = project.Process(
            pinned(core, ["nginx", "-p", directory, "-e", directory / "error.log",
                          "-c", directory / "nginx.conf"]),
            directory / "log",
        )
        try:
            project.wait_for(self._counts, "the origin to answer")
        except BaseException:
            self.stop()
            raise

    def _counts(self):
        out = subprocess.run(["curl", "-s", "--max-time", "10", f"http://127.0.0.1:{self.port}/stub"],
                             capture_output=True, text=True, check=False).stdout
        m = re.search(r"^\s*(\d+)\s+(\d+)\s+(\d+)\s*$", out, re.M)
        return m and (int(m.group(1)), int(m.group(3)))

    @contextlib.contextmanager
    def counting(self):
        """Yields a dict that has `connections` and `requests`, opened and asked meanwhile, at the
        end."""
        seen = {}
        before = self._counts()
        yield seen
        after = self._counts()
        if not before or not after:
            raise Wrong("the origin does not tell its counts")
        # The last question about the counts is itself one connection and one request.
        seen["connections"], seen["requests"] = (a - b - 1 for a, b in zip(after, before))

    def stop(self):
        self.process.stop(expect=None)


@contextlib.contextmanager
def running(name, argv, core, answers, log):
    """A server alone on `core`, from its first right answer on: answers() raises Wrong until then."""
    process = project.Process(pinned(core, argv), log)
    last = ["nothing"]

    def ready():
        if not process.running():
            raise Wrong(f"{name} ended:\n{process.log()[-2000:]}")
        try:
            answers()
        except Wrong as e:
            last[0] = e
            return False
        return True

    try:
        try:
            project.wait_for(ready, f"{name} to answer rightly", timeout=15)
        except TimeoutError:
            raise Wrong(f"{name} does not answer rightly: {last[0]}") from None
        yield process
        if not process.running():
            raise Wrong(f"{name} ended under load:\n{process.log()[-2000:]}")
    finally:
        process.stop(expect=None)


def folder(parent, name):
    """A new empty folder, which servers that drop their privileges can read."""
    path = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=parent))
    path.chmod(0o755)
    return path


def load(core, argv):
    """Runs one of our load generators; its last line, as a dict."""
    return json.loads(output_of(core, argv).splitlines()[-1])
