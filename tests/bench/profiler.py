# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the CPU time of one work goes: runs it once under `perf record` and prints the top of it, by
library and by function of ours, as a share and as time for each of what is counted.
"""

import argparse
import contextlib
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import bench as benchmark
import edges
import measure
import report
from perigee import Process, wait_for

# Prime, so that it does not beat with timers; software clock, which virtual machines have, too.
FREQUENCY = "1999"


@contextlib.contextmanager
def recording(data, core, pid):
    pids = ",".join(map(str, measure.process_tree(pid)))
    process = Process(measure.pinned(core, ["perf", "record", "-q", "-e", "cpu-clock", "-F", FREQUENCY,
                                            "-o", data, "-p", pids]), data.with_suffix(".log"))
    try:
        wait_for(lambda: not process.running() or data.exists() and data.stat().st_size > 0,
                 "perf to record")
        yield
    finally:
        code = process.stop(expect=None, number=signal.SIGINT)
    if not data.exists() or code not in (0, -signal.SIGINT):
        raise measure.Wrong(f"perf exited with {code}: {process.log()}")


def shares(data, *fields, **only):
    """[(share, field...)] of what perf recorded, the largest first."""
    argv = ["perf", "report", "-i", data, "--stdio", "--no-children", "-s", ",".join(fields),
            "-t", "\t", *(f"--{k}={v}" for k, v in only.items())]
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise measure.Wrong(f"perf report: {done.stderr}")
    rows = []
    for line in done.stdout.splitlines():
        cells = [c.strip() for c in line.split("\t")]
        if len(cells) == len(fields) + 1 and cells[0].endswith("%"):
            names = [c.removeprefix("[.] ").removeprefix("[k] ") for c in cells[1:]]
            rows.append((float(cells[0][:-1]) / 100, *names))
    return rows


def show(title, rows, figure, unit, most):
    lines = [[name, f"{share:.1%}", report.number(share * figure)] for share, name in rows[:most]]
    print("\n" + report.table([title, "share", unit], lines))


def profile(directory, args, work):
    data = directory / "perf.data"
    bench = benchmark.prepare(directory, args, args.cores)
    bench.watcher = lambda pid: recording(data, bench.load_core, pid)
    try:
        samples = work.measure(bench, args.server)
    finally:
        bench.origin.stop()
    figure, sample = work.figures[0], samples[work.figures[0].name]
    print(f"{figure.title}, {args.server}: {report.number(sample.figure)} {figure.unit} under perf, "
          f"of it user {report.number(sample.more['user'])}, "
          f"system {report.number(sample.more['system'])}")
    program = Path(shutil.which(work.programs[args.server].program)).name
    show("library", shares(data, "dso"), sample.figure, figure.unit, 12)
    show(f"function of {program}", shares(data, "sym", dsos=program), sample.figure, figure.unit, 25)
    all_functions = [(share, f"{name} ({dso})") for share, dso, name in shares(data, "dso", "sym")
                     if dso != program]
    show("function elsewhere", all_functions, sample.figure, figure.unit, 25)
    kept = args.out / "perf.data"
    args.out.mkdir(parents=True, exist_ok=True)
    shutil.copy(data, kept)
    print(f"\nthe whole of it: perf report -i {kept}")


def main():
    parser = argparse.ArgumentParser(
        prog="make profile", description=__doc__.split("\n")[0],
        epilog="Works: " + ", ".join(w.name for w in benchmark.WORKS) + ".")
    parser.add_argument("--work", required=True, help="one work, by its whole name")
    parser.add_argument("--server", default=report.OURS, help="(%(default)s)")
    parser.add_argument("--seconds", type=float, default=5, help="of load (%(default)s)")
    parser.add_argument("--database", required=True, help="one that city_database.pl made")
    parser.add_argument("--out", type=Path, required=True, help="folder for perf.data")
    args = parser.parse_args()
    args.connections = 0
    work = next((w for w in benchmark.WORKS if w.name == args.work), None)
    if work and work.figures[0].unit not in ("us", "s/GB"):
        parser.error(f"{work.name} measures no CPU time: there is nothing to profile")
    if not work or args.server not in work.servers:
        parser.error(f"no such work or server; works: {', '.join(w.name for w in benchmark.WORKS)}")
    if not shutil.which("perf"):
        sys.exit("perf is not installed: apt-get install linux-perf, or ./bootstrap bench")
    args.cores = benchmark.settle()
    with contextlib.ExitStack() as stack:
        try:
            profile(benchmark.working_folder("profile", stack), args, work)
        except edges.NotYet as e:
            sys.exit(f"{args.server} cannot do this yet: {e}")
        except measure.Wrong as e:
            sys.exit(f"failed: {e}")


if __name__ == "__main__":
    main()
