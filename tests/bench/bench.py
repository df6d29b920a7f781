# SPDX-License-Identifier: GPL-3.0-or-later
"""Perigee beside its peers, in the same run.

Each server runs alone on one core with one worker; the load and the origin have another core. The
servers of a work alternate, round by round (A B A B). Cost is the CPU time, user and system, of the
server's processes, divided by what was done. Before each measurement the server must give the right
answer; a wrong one, or counts that do not agree, puts it out of that work and fails the run.
"""

import argparse
import contextlib
import json
import os
import shutil
import resource
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import check_works  # noqa: E402
import edges  # noqa: E402
import measure  # noqa: E402
import perigee as project  # noqa: E402
import report  # noqa: E402
import responders  # noqa: E402
import dns_scale_works  # noqa: E402
import dns_works  # noqa: E402
import edge_works  # noqa: E402
from work import Bench  # noqa: E402

WORKS = edge_works.WORKS + check_works.WORKS + dns_works.WORKS + dns_scale_works.WORKS
SERVERS = list(dict.fromkeys(s for w in WORKS for s in w.servers))
VERSION = {"nginx": ("nginx", "-v"), "haproxy": ("haproxy", "-v"), "hitch": ("hitch", "--version"),
           "gdnsd": ("gdnsd", "-v"), "knot": ("knotd", "--version"),
           "powerdns": ("pdns_server", "--version"), "perigee": (project.EDGE, "--version")}
GENERATORS = {"wrk": ("wrk", "-v"), "h2load": ("h2load", "--version"), "curl": ("curl", "--version")}


class Results:
    """What was measured so far."""

    def __init__(self, works):
        self.works = works
        figures = [f.name for w in works for f in w.figures]
        self.samples = {name: {} for name in figures}  # -> server -> figures
        self.more = {name: {} for name in figures}
        self.not_yet = {}  # figure -> what Perigee has not
        self.wrong = []  # texts
        self.dropped = {}  # figure -> servers

    def add(self, server, samples):
        for name, sample in samples.items():
            self.samples[name].setdefault(server, []).append(sample.figure)
            self.more[name].setdefault(server, []).append(sample.more)

    def drop(self, work, server, why):
        """A server that was wrong once has no figures in this work."""
        self.wrong.append(f"{work.name}: {server}: {why}")
        for f in work.figures:
            self.dropped.setdefault(f.name, []).append(server)
            self.samples[f.name].pop(server, None)
            self.more[f.name].pop(server, None)

    def verdict(self):
        return report.judge(self.works, self.samples, report.goals(), self.not_yet, self.dropped)


def chosen(only):
    """The works that --only names: whole names, or beginnings of names, with commas between."""
    result = []
    for wanted in (o for o in only.split(",") if o):
        found = ([w for w in WORKS if w.name == wanted]
                 or [w for w in WORKS if w.name.startswith(wanted)])
        if not found:
            sys.exit(f"no work is called {wanted}; there are: {', '.join(w.name for w in WORKS)}")
        result += [w for w in found if w not in result]
    return result or WORKS


def usable(works, servers):
    """Says what is skipped; [(work, its servers)] that are left."""
    result, told = [], set()

    def skip(what, program):
        if what not in told:
            print(f"{what}: skipped, {program} is not installed")
            told.add(what)

    for work in works:
        lacking = [t for t in work.tools if not shutil.which(t)]
        if lacking:
            skip(work.name, lacking[0])
            continue
        here = []
        for server in (s for s in work.servers if s in servers):
            if shutil.which(work.programs[server].program):
                here.append(server)
            else:
                skip(server, work.programs[server].program)
        result.append((work, here))
    return result


def run_work(bench, work, servers, rounds, results, say):
    servers = list(servers)
    for turn in range(rounds):
        # Whoever comes first comes first only once in a while.
        shift = turn % max(1, len(servers))
        for server in servers[shift:] + servers[:shift]:
            try:
                samples = work.measure(bench, server)
            except edges.NotYet as e:
                servers.remove(server)
                if server == report.OURS:
                    results.not_yet.update({f.name: str(e) for f in work.figures})
                say(f"{server} has no {e}" if server != report.OURS else f"not yet: {e}")
                continue
            except Exception as e:  # noqa: BLE001 - whatever one server does, the others go on
                servers.remove(server)
                results.drop(work, server, repr(e))
                say(f"WRONG: {server}: {e!r}")
                continue
            results.add(server, samples)
            for f in (f for f in work.figures if f.name in samples):
                say(f"{turn + 1}/{rounds}  {f.title:<40} {server:<9} "
                    f"{report.number(samples[f.name].figure):>8} {f.unit}")


def two_cores():
    """For the server and for the load; ends the program where a benchmark cannot be."""
    cores = sorted(os.sched_getaffinity(0))
    missing = [t for t in ("nginx", "curl", "taskset") if not shutil.which(t)]
    if len(cores) < 2:
        print("skipped: needs two processors, one for the server and one for the load")
    elif missing:
        print(f"skipped: {', '.join(missing)} not installed; ./bootstrap bench installs all")
    else:
        return cores[:2]
    sys.exit(77)


def working_folder(name, stack, keep=lambda: False):
    """A temporary folder that goes with `stack`, unless keep() says otherwise then."""
    directory = Path(tempfile.mkdtemp(prefix=f"perigee-{name}-"))
    directory.chmod(0o755)  # servers that drop their privileges read here
    stack.callback(lambda: keep() or shutil.rmtree(directory))
    return directory


def prepare(directory, args, cores):
    authority = project.Authority(directory / "ca")
    certificates = {k: authority.issue(k, [measure.HOST], kind=k) for k in ("ecdsa", "rsa")}
    database = Path(args.database).resolve()
    origin = measure.Origin(directory / "origin", cores[1], certificates["ecdsa"])
    return Bench(directory, cores[0], cores[1], args.seconds, args.connections, authority,
                 certificates, origin, database)


def earlier_ratios(file):
    """figure -> ratio, of the run before this one in the same folder."""
    try:
        figures = json.loads(file.read_text())["figures"]
    except (OSError, ValueError, KeyError):
        return {}
    return {name: row["ratio"] for name, row in figures.items() if "ratio" in row}


def write(out, name, args, results, rows, took):
    out.mkdir(parents=True, exist_ok=True)
    machine = report.machine()
    versions = {n: v for n, c in {**VERSION, **GENERATORS}.items()
                if (v := report.first_version(*map(str, c)))}
    settings = {"rounds": args.rounds, "seconds": args.seconds, "connections": args.connections}
    (out / f"{name}.json").write_text(json.dumps({
        "machine": machine, "versions": versions, "settings": settings, "seconds": round(took),
        "figures": {name: {**row, "samples": results.samples[name], "more": results.more[name]}
                    for name, row in rows.items()},
        "wrong": results.wrong,
    }, indent=1) + "\n")
    text = [
        report.machine_line(machine) + ".", "",
        ", ".join(f"{n} {v}" for n, v in versions.items()) + ".", "",
        f"{args.rounds} rounds of {args.seconds:g} s, {took / 60:.0f} minutes in all.", "",
        report.verdict_table(rows, markdown=True), "",
        *report.footnotes(rows), "",
        report.server_table(results.works, results.samples, results.more, markdown=True), "",
    ]
    (out / f"{name}.md").write_text("\n".join(text))


def arguments():
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__.split("\n")[0],
        epilog="Works: " + ", ".join(w.name for w in WORKS) + ".")
    parser.add_argument("--only", default="", metavar="WORK,...",
                        help="these works: names or their beginnings, like dns or handshake-rsa")
    parser.add_argument("--servers", default=",".join(SERVERS), metavar="NAME,...",
                        help="these servers (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="of each work (%(default)s)")
    parser.add_argument("--seconds", type=float, default=1, help="of load a round (%(default)s)")
    parser.add_argument("--connections", type=int, default=5000,
                        help="how many http-idle holds (%(default)s)")
    parser.add_argument("--database", required=True, help="one that city_database.pl made")
    parser.add_argument("--out", type=Path, required=True, help="folder for bench.json, bench.md")
    args = parser.parse_args()
    args.servers = args.servers.split(",")
    for name in args.servers:
        if name not in SERVERS:
            parser.error(f"no server is called {name}; there are: {', '.join(SERVERS)}")
    return args


def settle():
    """What a benchmark wants of its own process; the two cores."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda n, _: sys.exit(128 + n))
    # Debian's servers live there, which is not on a normal user's path.
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    cores = two_cores()
    os.sched_setaffinity(0, {cores[1]})
    return cores


def main():
    args = arguments()
    works = chosen(args.only)
    cores = settle()
    name = "bench-part" if args.only else "bench"
    began = time.monotonic()
    works = usable(works, args.servers)
    runs = sum(len(s) for _, s in works) * args.rounds
    print(f"{len(works)} works, {runs} runs, {args.rounds} rounds of {args.seconds:g} s", flush=True)
    results = Results([w for w, _ in works])
    with contextlib.ExitStack() as stack:
        directory = working_folder("bench", stack, keep=lambda: results.wrong)
        bench = prepare(directory, args, cores)
        stack.callback(bench.origin.stop)
        for work, servers in works:
            run_work(bench, work, servers, args.rounds, results,
                     lambda text: print(f"[{(time.monotonic() - began) / 60:4.1f} min] {text}",
                                        flush=True))
    rows = results.verdict()
    before = earlier_ratios(args.out / f"{name}.json")
    for figure, row in rows.items():
        row["ratio_before"] = before.get(figure)
    write(args.out, name, args, results, rows, time.monotonic() - began)
    print("\n" + report.server_table(results.works, results.samples, results.more))
    print("\n" + report.verdict_table(rows))
    print("\n".join(["", *report.footnotes(rows)]))
    print(f"\nwritten: {args.out}/{name}.json, {args.out}/{name}.md")
    for text in results.wrong:
        print(f"WRONG: {text}", file=sys.stderr)
    if results.wrong:
        print(f"(files in {directory})", file=sys.stderr)
    return 1 if results.wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\nended by Ctrl-C: what was started is stopped, nothing is written")
