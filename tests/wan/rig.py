# SPDX-License-Identifier: GPL-3.0-or-later
"""A small world for real processes: hosts in network namespaces, joined by wan-line.

Everything that is started in it dies with it, however it ends: in order when the Rig closes, and by
the kernel's own hand (a death signal for each process, namespaces that only wan-line holds) when
this process is killed. See world.h for the language of worlds.
"""

import json
import math
import re
import signal
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import perigee  # noqa: E402

LINE = perigee.BUILD / "tests" / "wan" / "wan-line"
PROBE = perigee.BUILD / "tests" / "wan" / "wan-probe"
VISIT = perigee.BUILD / "tests" / "wan" / "wan-visit"
EXIT_SKIPPED = 77

RTT_TOLERANCE = 0.02
# With which what was lost lies where it should.
CONFIDENCE = 0.99
PROBES = 50
LOSS_PROBES = 2000
PROBERS = 4


class Skipped(Exception):
    """This machine does not allow a rig; the text says what to do."""


class Wrong(Exception):
    """What was measured is not worth its figures."""


@dataclass(frozen=True)
class WorldPath:
    """A path of the world as it is written; goes both ways."""

    a: str
    b: str
    rtt: float  # ms
    loss: float  # 0 to 1
    rate: float | None  # bits a second


class World:
    """The text of a world and what is in it."""

    def __init__(self, text, loss=None):
        """`loss` in percent is put on every path."""
        if loss:
            text = re.sub(r"^(path [^#\n]*[^#\s])", rf"\1 loss={loss}%", text, flags=re.M)
        self.text = text
        self.hosts = dict(re.findall(r"^host\s+(\S+)\s+(\S+)", text, re.M))
        self.settings = dict(re.findall(r"^sysctl\s+(\S+)\s+(\S+)", text, re.M))
        self.paths = [self._path(*m) for m in
                      re.findall(r"^path\s+(\S+)\s+(\S+)\s+([^#\n]*)", text, re.M)]
        self._by_ends = {frozenset((p.a, p.b)): p for p in self.paths}

    @staticmethod
    def _path(a, b, properties):
        values = dict(w.split("=", 1) for w in properties.split())
        unit = {"kbit": 1e3, "Mbit": 1e6, "Gbit": 1e9}

        def number(key):
            return float(re.match(r"[\d.]+", values[key]).group(0))

        rtt = number("rtt") * {"us": 1e-3, "ms": 1, "s": 1e3}[values["rtt"].lstrip("0123456789.")]
        loss = number("loss") / 100 if "loss" in values else 0.0
        rate = (number("rate") * unit[values["rate"].lstrip("0123456789.")]
                if "rate" in values else None)
        return WorldPath(a, b, rtt, loss, rate)

    def path(self, a, b):
        return self._by_ends[frozenset((a, b))]


class Rig:
    def __init__(self, world, directory, seed=1):
        self.world = world
        self.directory = Path(directory)
        self.seed = seed
        self.processes = []
        self.counters = None
        self.faults = []  # what was found at the end

    def __enter__(self):
        description = self.directory / "world.txt"
        description.write_text(self.world.text)
        self.line = subprocess.Popen([LINE, "--seed", str(self.seed), description],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, text=True)
        ready = self.line.stdout.readline()
        if not ready:
            said = self.line.stderr.read().strip()
            code = self.line.wait()
            raise (Skipped if code == EXIT_SKIPPED else Wrong)(said or f"wan-line ended: {code}")
        self.spaces = json.loads(ready)["hosts"]
        return self

    def __exit__(self, kind, *_):
        self.close()
        if kind is None and self.faults:
            raise Wrong("\n".join(self.faults))

    def inside(self, host, argv):
        """The command line that runs `argv` in a host, and never outlives this process."""
        return ["setpriv", "--pdeathsig", "KILL", "nsenter", f"--net={self.spaces[host]}", "--",
                *map(str, argv)]

    def start(self, host, argv, log):
        process = perigee.Process(self.inside(host, argv), log)
        self.processes.append(process)
        return process

    def run(self, host, argv, timeout=120):
        """What a command in a host prints; Wrong when it fails."""
        done = subprocess.run(self.inside(host, argv), capture_output=True, text=True,
                              timeout=timeout, check=False, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise Wrong(f"{host}: {' '.join(map(str, argv))}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def close(self):
        """Ends all processes, then the line. A second Ctrl-C does not get in the way."""
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            for process in reversed(self.processes):
                if process.running():
                    process.send_signal(signal.SIGTERM)
            for process in reversed(self.processes):
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    pass
                process.kill()
                if perigee.SANITIZER.search(process.log()):
                    self.faults.append(f"{process.argv}:\n{process.log()[-8000:]}")
            self._end_line()
        finally:
            signal.signal(signal.SIGINT, before)

    def _end_line(self):
        self.line.stdin.close()
        try:
            self.line.wait(5)
            said = self.line.stdout.read()
            self.counters = json.loads(said.splitlines()[-1]) if said.strip() else None
            if self.line.returncode != 0:
                self.faults.append(f"wan-line: {self.line.returncode}: {self.line.stderr.read()}")
        except subprocess.TimeoutExpired:
            self.line.kill()
            self.line.wait()
            self.faults.append("wan-line did not end")
        for stream in (self.line.stdout, self.line.stderr):
            stream.close()

    def probe(self, a, b, count, interval):
        """Round trips from a to b, as wan-probe tells them."""
        path = self.world.path(a, b)
        return json.loads(self.run(a, [PROBE, "--count", count, "--interval", interval,
                                       "--wait", path.rtt + 200, self.world.hosts[b]]))

    def check(self):
        """The delay line against its own description: (faults, one row for each path)."""
        with ThreadPoolExecutor(PROBERS) as pool:
            return judge(self.world.paths, list(pool.map(self._probe_path, self.world.paths)))

    def _probe_path(self, path):
        count, interval = (LOSS_PROBES, 1) if path.loss else (PROBES, 7)
        return self.probe(path.a, path.b, count, interval)


def interval(share, count, confidence):
    """Where an observed share lies with this confidence, by Wilson's score."""
    z = statistics.NormalDist().inv_cdf(0.5 + confidence / 2)
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    spread = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count
                                                 + z * z / (4 * count * count))
    return middle - spread, middle + spread


def judge(paths, seen):
    """With as many paths as here, one in a hundred would be outside of its own 99% interval by
    chance: the intervals are so wide that all of them hold together with that confidence."""
    faults, rows = [], []
    each = 1 - (1 - CONFIDENCE) / len(paths)
    for path, probe in zip(paths, seen):
        name = f"{path.a} - {path.b}"
        off = probe.get("median_ms", math.inf) / path.rtt - 1
        lost = 1 - probe["received"] / probe["sent"]
        # A round trip meets the dice twice.
        low, high = interval(lost, probe["sent"], each)
        expected = 1 - (1 - path.loss) ** 2
        if abs(off) > RTT_TOLERANCE:
            faults.append(f"{name}: round trip off by {off:.1%}")
        if not (low <= expected <= high if path.loss else lost == 0):
            faults.append(f"{name}: lost {lost:.2%}, expected {expected:.2%}")
        if probe["reordered"]:
            faults.append(f"{name}: {probe['reordered']} packets out of order")
        rows.append({"path": name, "rtt_ms": path.rtt, "median_ms": probe.get("median_ms"),
                     "off": off, "sent": probe["sent"], "lost": lost, "expected_lost": expected})
    return faults, rows
