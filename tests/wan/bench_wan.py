# SPDX-License-Identifier: GPL-3.0-or-later
"""What a visit costs over a long path: direct to the origin, and through nginx, HAProxy and Perigee,
which goes straight on or by a relay beside the origin.

For clients in five cities the time to TCP, TLS, first and last byte, cold and resumed, without loss
and with it, beside the physical limit (limits.py). The delay line is checked against itself first. A
cell is the median of visits that alternate between the ways; cities run at the same time, for they
share no path. Visits that fail, or whose answer is wrong in any byte, fail the run. What a pause does to the
links is measured apart (pauses.py).
"""

import argparse
import json
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import chart
import fleet as fleets
import pauses
import rig
import report
from limits import limit

MOMENTS = ("dns", "tcp", "tls", "first_byte", "last_byte")
COLD, RESUMED, EARLY = "cold", "resumed", "early data"
OURS, RELAY = "perigee", "relay"


@dataclass(frozen=True)
class Stage:
    """One level of loss: how often each way is visited for each size, in pairs of a cold and a
    resumed visit, and how many visits of one city run at a time. Without loss all is nearly the same
    each time; with it only many give a median that repeats, and these wait far more than they work."""

    loss: float
    pairs: dict
    at_once: int


def stages(visits):
    return [Stage(0, {"20k": visits, "1m": max(1, visits * 3 // 5)}, 1),
            Stage(1, {"20k": visits * 8, "1m": visits * 3}, fleets.WARM)]


class Progress:
    """A line every few seconds: this takes minutes."""

    def __init__(self):
        self.began = time.monotonic()
        self.lock = threading.Lock()

    def say(self, text):
        minutes = (time.monotonic() - self.began) / 60
        print(f"[{minutes:4.1f} min] {text}", flush=True)

    def begin(self, what, total):
        self.what, self.total, self.done, self.said = what, total, 0, time.monotonic()
        self.say(f"{what}: {total} pairs of visits")

    def one_more(self):
        with self.lock:
            self.done += 1
            if time.monotonic() - self.said > 10:
                self.said = time.monotonic()
                self.say(f"{self.what}: {self.done} of {self.total}")


def features(fleet):
    """What each way can, as seen by a client: way -> (early data, HTTP/2)."""
    def seen(way):
        early = fleet.visit("london", way, "20k", "--early-data")[1]["early_data"] == "accepted"
        return early, fleet.visit("london", way, "20k", "--http2")[0]["protocol"] == "h2"

    return {way: seen(way) for way in fleets.WAYS}


def jobs(stage, can):
    """(way, size, early data or not) for each pair: ways alternate visit by visit, and begin with
    another each turn."""
    result = []
    ways = list(fleets.WAYS)
    for turn in range(max(stage.pairs.values())):
        for size, pairs in stage.pairs.items():
            if turn < pairs:
                first = turn % len(ways)
                for way in ways[first:] + ways[:first]:
                    result.append((way, size, False))
                    if can[way][0]:
                        result.append((way, size, True))
    return result


def run_city(fleet, city, stage, can, progress):
    """Visits as a list of ((way, mode, size), what wan-visit saw)."""
    def pair(job):
        way, size, early = job
        cold, resumed = fleet.visit(city, way, size, "--early-data" if early else "--resume")
        if cold["resumed"] or not resumed["resumed"]:
            raise rig.Wrong(f"{way} did not resume a session in {city}")
        progress.one_more()
        if early:
            return [((way, EARLY, size), resumed)]
        return [((way, COLD, size), cold), ((way, RESUMED, size), resumed)]

    with ThreadPoolExecutor(stage.at_once) as pool:
        return [seen for both in pool.map(pair, jobs(stage, can)) for seen in both]


def run_stage(stage, args, cities, progress, directory):
    """(cells by (city, loss, way, mode, size), check rows, features, packets of the line)."""
    directory.mkdir()
    world = rig.World(args.world.read_text(), stage.loss)
    with rig.Rig(world, directory) as line:
        progress.say(f"{stage.loss:g}% loss: the delay line against itself")
        faults, checked = line.check()
        print(check_table(checked), flush=True)
        if faults:
            raise rig.Wrong("the delay line is not what it should be:\n" + "\n".join(faults))
        fleet = fleets.Fleet(line, advice=not args.defaults)
        fleet.start()
        can = features(fleet)
        with ThreadPoolExecutor(len(cities)) as pool:
            list(pool.map(lambda c: fleet.warm(c, stage.at_once), cities))
            progress.begin(f"{stage.loss:g}% loss", len(jobs(stage, can)) * len(cities))
            runs = list(pool.map(lambda c: run_city(fleet, c, stage, can, progress), cities))
    cells = {}
    for city, run in zip(cities, runs):
        for (way, mode, size), visit in run:
            cells.setdefault((city, stage.loss, way, mode, size), []).append(visit)
    return {k: cell(world, k, v) for k, v in cells.items()}, checked, can, line.counters


def cell(world, key, visits):
    city, _, way, mode, size = key
    at_edge = fleets.WAYS[way].edge
    bound = limit(world, city, fleets.CITIES[city] if at_edge else "origin", "origin",
                  fleets.SIZES[size], early=mode == EARLY, nameserver="ns1" if at_edge else None)
    result = {"limit": asdict(bound)}
    for moment in MOMENTS:
        values = [v[f"{moment}_ms"] for v in visits if f"{moment}_ms" in v]
        if not values:
            continue
        tenths = statistics.quantiles(values, n=10, method="inclusive") if values[1:] else values * 9
        median = statistics.median(values)
        result[moment] = {"median": median, "p10": tenths[0], "p90": tenths[-1],
                          "count": len(values), "ratio": median / getattr(bound, moment),
                          "samples": values}
    return result


def check_table(rows, markdown=False):
    return report.table(
        ["path", "round trip", "seen (median)", "off", "probes", "lost", "expected"],
        [[r["path"], f"{r['rtt_ms']:g} ms", f"{r['median_ms']:.2f} ms", f"{r['off']:.2%}",
          r["sent"], f"{r['lost']:.2%}", f"{r['expected_lost']:.2%}"] for r in rows], markdown)


def of(entry, moment, worst=False):
    if moment not in entry:
        return "-"
    text = f"{entry[moment]['median']:.0f}"
    return f"{text} ({entry[moment]['p90']:.0f})" if worst else text


def rows_of(cells, loss):
    """The cells of one level of loss, (city, way, mode) -> size -> cell, in the order of the run."""
    rows = {}
    for (city, of_loss, way, mode, size), entry in cells.items():
        if of_loss == loss:
            rows.setdefault((city, way, mode), {})[size] = entry
    return dict(sorted(rows.items(), key=lambda r: [list(fleets.CITIES).index(r[0][0]),
                                                    list(fleets.WAYS).index(r[0][1])]))


def results_table(cells, can, loss, markdown=False):
    """Times in ms; of the first byte, its limit and the ratio to it; with loss p90 beside the median."""
    header = ["city", "way", "", "DNS", "TCP", "TLS", "first byte", "limit", "ratio",
              "20 KB", "limit", "1 MB", "limit"]
    lines, last = [], None
    for (city, way, mode), sizes in rows_of(cells, loss).items():
        small, large = sizes["20k"], sizes["1m"]
        lines.append([city if city != last else "", way, mode, of(small, "dns"), of(small, "tcp"),
                      of(small, "tls"), of(small, "first_byte", loss),
                      f"{small['limit']['first_byte']:.0f}",
                      f"{small['first_byte']['ratio']:.2f}", of(small, "last_byte", loss),
                      f"{small['limit']['last_byte']:.0f}", of(large, "last_byte", loss),
                      f"{large['limit']['last_byte']:.0f}"])
        if way == OURS and mode == RESUMED:
            lines += [["", OURS, what, "not yet", *[""] * (len(header) - 4)]
                      for what, has in zip((EARLY, "HTTP/2"), can[OURS]) if not has]
        last = city
    return report.table(header, lines, markdown)


def features_text(can):
    def word(way, which):
        return f"{way} {'yes' if can[way][which] else 'not yet' if way == OURS else 'no'}"

    return "\n".join([
        "Early data: " + ", ".join(word(w, 0) for w in can) + ".",
        "HTTP/2 to clients: " + ", ".join(word(w, 1) for w in can)
        + " (all is measured by HTTP/1.1: one request costs the same round trips in both).",
    ])


def verdict(cells, goal, way=OURS):
    """(ok or short, one line for each of the way's cells that is over the goal)."""
    ours = {k: c["first_byte"]["ratio"] for k, c in cells.items()
            if k[2] == way and k[1] == 0 and k[4] == "20k"}
    late = [f"  {city} {mode}: {ratio:.3f}" for (city, _, _, mode, _), ratio in ours.items()
            if ratio > goal]
    worst = max(ours, key=ours.get)
    name = "Perigee" if way == OURS else f"Perigee by {way}"
    text = (f"first byte through {name} without loss, to its limit: worst {ours[worst]:.3f} "
            f"({worst[0]}, {worst[3]}), goal {goal:g}: {'short' if late else 'ok'}")
    return text, late


def describe(world):
    settings = ", ".join(f"{k.rpartition('.')[2]} {v}" for k, v in world.settings.items())
    return (f"Kernel of all hosts: {settings}; all else as the kernel has it. Loss is on every path, "
            "both ways, also between edges and origin.")


def versions():
    commands = {"nginx": ("nginx", "-v"), "haproxy": ("haproxy", "-v"),
                "perigee": (str(fleets.perigee.EDGE), "--version"),
                "openssl": ("openssl", "version")}
    return {n: v for n, c in commands.items() if (v := report.first_version(*c))}


def pauses_text(quiet, args, markdown=False):
    """The tables of what pauses do, and what they come to; nothing where there were none."""
    lines = []
    for kernel in pauses.KERNELS if quiet else ():
        lines += [f"Last byte in ms over a link that has carried nothing yet (cold), that was just used "
                  f"(used), and after {args.pause:g} s (quiet); {kernel}:", "",
                  pauses.table(quiet, kernel, markdown), ""]
    if quiet:
        text, late = pauses.verdict(quiet, report.goals()["wan"]["last_byte"], RELAY)
        lines += [text, *late, ""]
    return "\n".join(lines)


def write(out, args, world, cells, quiet, checks, can, counters, took):
    machine, programs = report.machine(), versions()
    text, late = verdict(cells, report.goals()["wan"]["first_byte"])
    relay_text, relay_late = verdict(cells, report.goals()["wan"]["first_byte"], RELAY)
    peers = ("as the other benchmarks have them" if args.defaults
             else "as their manuals advise for the first byte")
    (out / "wan.json").write_text(json.dumps({
        "machine": machine, "versions": programs, "world": world.text, "settings": world.settings,
        "peers": peers, "seconds": round(took), "verdict": text, "over": late,
        "relay": relay_text, "relay_over": relay_late,
        "early_data": {w: c[0] for w, c in can.items()}, "http2": {w: c[1] for w, c in can.items()},
        "checks": checks, "line": counters,
        "cells": [dict(zip(("city", "loss", "way", "mode", "size"), k)) | c
                  for k, c in cells.items()],
        "pause": args.pause,
        "pauses": [dict(zip(("kernel", "city", "way", "moment", "size"), k)) | c
                   for k, c in quiet.items()],
    }, indent=1) + "\n")
    lines = [report.machine_line(machine) + ".", "",
             ", ".join(f"{n} {v}" for n, v in programs.items()) + f"; the peers {peers}.", "",
             describe(world), "", features_text(can), ""]
    for loss in checks:
        lines += [f"{loss:g}% loss, ms from the start of the connection (DNS by itself):", "",
                  results_table(cells, can, loss, markdown=True), ""]
    lines += [text, *late, "", relay_text, *relay_late, "", pauses_text(quiet, args, markdown=True)]
    for loss, rows in checks.items():
        lines += [f"The delay line against itself, {loss:g}% loss:", "",
                  check_table(rows, markdown=True), ""]
    (out / "wan.md").write_text("\n".join(lines))
    chart.draw(cells, 0, out / "wan.svg")


def arguments():
    parser = argparse.ArgumentParser(prog="make bench-wan", description=__doc__.split("\n")[0])
    parser.add_argument("--cities", default=",".join(fleets.CITIES), metavar="NAME,...",
                        help="these cities (%(default)s)")
    parser.add_argument("--visits", type=int, default=5, metavar="N",
                        help="of each kind without loss, with it several times as many (%(default)s)")
    parser.add_argument("--pause", type=float, default=60, metavar="S",
                        help="how long links are quiet before they are used again; 0: that is not "
                             "measured (%(default)s)")
    parser.add_argument("--pauses", type=int, default=3, metavar="N",
                        help="how many pauses (%(default)s)")
    parser.add_argument("--defaults", action="store_true",
                        help="peers as the other benchmarks have them, not as their manuals advise "
                             "for the first byte")
    parser.add_argument("--world", type=Path, default=fleets.WORLD, metavar="FILE",
                        help="another description of the paths between the same hosts")
    parser.add_argument("--out", type=Path, default=rig.perigee.BUILD / "bench", metavar="DIR",
                        help="folder for wan.md, wan.json and wan.svg (%(default)s)")
    args = parser.parse_args()
    args.cities = args.cities.split(",")
    for city in args.cities:
        if city not in fleets.CITIES:
            parser.error(f"no city is called {city}; there are: {', '.join(fleets.CITIES)}")
    if args.visits < 1 or args.pauses < 1:
        parser.error("--visits and --pauses are at least 1")
    return args


def run(args, directory):
    progress = Progress()
    cells, checks, counters = {}, {}, {}
    for stage in stages(args.visits):
        found, checks[stage.loss], can, counters[stage.loss] = run_stage(
            stage, args, args.cities, progress, directory / f"loss-{stage.loss:g}")
        cells |= found
    quiet = {}
    if args.pause > 0:
        quiet = pauses.run(args.world.read_text(), not args.defaults, args.cities, args.pause,
                           args.pauses, progress, directory)
    world = rig.World(args.world.read_text())
    args.out.mkdir(parents=True, exist_ok=True)
    write(args.out, args, world, cells, quiet, checks, can, counters,
          time.monotonic() - progress.began)
    for loss in checks:
        print(f"\n{loss:g}% loss, ms from the start of the connection (DNS by itself), median"
              + (" (p90)" if loss else ""))
        print(results_table(cells, can, loss))
    text, late = verdict(cells, report.goals()["wan"]["first_byte"])
    relay_text, relay_late = verdict(cells, report.goals()["wan"]["first_byte"], RELAY)
    print("\n" + "\n".join([describe(world), features_text(can), "", text, *late, relay_text,
                            *relay_late, "", pauses_text(quiet, args)]))
    progress.say(f"written: {args.out}/wan.md, wan.json, wan.svg")


def main():
    args = arguments()
    missing = fleets.missing_programs()
    if missing or chart.missing():
        print(f"skipped: {', '.join(missing) or chart.missing()} missing: apt-get install nginx-light "
              "haproxy util-linux openssl python3-matplotlib")
        return rig.EXIT_SKIPPED
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    directory = Path(tempfile.mkdtemp(prefix="perigee-wan-"))
    keep = False
    try:
        run(args, directory)
    except rig.Skipped as e:
        print(f"skipped: {e}")
        return rig.EXIT_SKIPPED
    except (rig.Wrong, TimeoutError) as e:
        keep = True
        print(f"failed: {e}\n(files in {directory})", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    finally:
        if not keep:
            shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
