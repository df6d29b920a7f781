# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of a link's width is left: the last byte over links that have carried nothing yet, that
were just used for the same, and that were quiet for a while, which is when kernels forget.

A rig of its own for each size, so that nothing else has widened the links, and one city for each
edge; all at a time, for they wait far more than they work, but no two visits. Once as kernels are by
default, and once with the origin's kernel set up so that it does not forget; the relay chooses for
its own connections in both.
"""

import contextlib
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import fleet as fleets
import report
import rig
from limits import limit

COLD, USED, QUIET = "cold", "used", "quiet"
DEFAULT, SET_UP = "as kernels are", "net.ipv4.tcp_slow_start_after_idle=0 at the origin"
KERNELS = {DEFAULT: None, SET_UP: ("net/ipv4/tcp_slow_start_after_idle", "0")}
WAYS = [w for w in fleets.WAYS if fleets.WAYS[w].edge]
# A window has what it is used for after so many.
USES = 2


def cities_of(cities):
    """The first of them for each edge: two of one edge would use the same links."""
    first = {}
    for city in cities:
        first.setdefault(fleets.CITIES[city], city)
    return list(first.values())


ALONE = threading.Lock()


def visits(fleet, city, way, size, count=1):
    """Times of the last byte in ms, of visits right after each other."""
    with ALONE:
        return [fleet.visit(city, way, size)[0]["last_byte_ms"] for _ in range(count)]


def run_city(fleet, city, size, pause, times):
    """(way, moment) -> times of the last byte in ms."""
    seen = {(way, COLD): visits(fleet, city, way, size) for way in WAYS}
    for way in WAYS:
        seen[way, USED] = visits(fleet, city, way, size, USES + times)[USES:]
        seen[way, QUIET] = []
    for _ in range(times):
        time.sleep(pause)
        for way in WAYS:
            seen[way, QUIET] += visits(fleet, city, way, size)
    return seen


def start(stack, world, advice, kernel, directory):
    """A fleet that `stack` ends."""
    directory.mkdir()
    line = stack.enter_context(rig.Rig(world, directory))
    if KERNELS[kernel]:
        setting, value = KERNELS[kernel]
        line.run("origin", ["sh", "-c", f"echo {value} > /proc/sys/{setting}"])
    fleet = fleets.Fleet(line, advice=advice)
    fleet.start()
    fleet.wait_wide()
    return fleet


def run(text, advice, cities, pause, times, progress, directory):
    """(kernel, city, way, moment, size) -> {samples, median, limit, ratio}."""
    world, cells = rig.World(text), {}
    for number, kernel in enumerate(KERNELS):
        progress.say(f"{times} pauses of {pause:g} s, {kernel}")
        with contextlib.ExitStack() as stack:
            started = {size: start(stack, world, advice, kernel, directory / f"pause-{number}-{size}")
                       for size in fleets.SIZES}
            jobs = [(city, size) for city in cities_of(cities) for size in fleets.SIZES]
            with ThreadPoolExecutor(len(jobs)) as pool:
                runs = list(pool.map(lambda j, s=started: run_city(s[j[1]], *j, pause, times), jobs))
        for (city, size), found in zip(jobs, runs):
            for (way, moment), samples in found.items():
                key = kernel, city, way, moment, size
                cells[key] = cell(world, key, samples)
    return cells


def cell(world, key, samples):
    _, city, _, _, size = key
    bound = limit(world, city, fleets.CITIES[city], "origin", fleets.SIZES[size]).last_byte
    median = statistics.median(samples)
    return {"samples": samples, "median": median, "limit": bound, "ratio": median / bound}


def table(cells, kernel, markdown=False):
    """The last byte in ms; after a pause the ratio to the limit as well."""
    header = ["city", "way"]
    for size in ("20 KB", "1 MB"):
        header += [f"{size}, limit", COLD, USED, QUIET, "ratio"]
    rows = []
    for city in dict.fromkeys(k[1] for k in cells):
        for way in WAYS:
            row = [city if way == WAYS[0] else "", way]
            for size in fleets.SIZES:
                by = {m: cells[kernel, city, way, m, size] for m in (COLD, USED, QUIET)}
                row += [f"{by[QUIET]['limit']:.0f}", *(f"{c['median']:.0f}" for c in by.values()),
                        f"{by[QUIET]['ratio']:.2f}"]
            rows.append(row)
    return report.table(header, rows, markdown)


def verdict(cells, goal, way):
    """(text, one line for each cell of the way that is over the goal), of kernels as they are; cold
    links are not counted."""
    ratios = {k: c["ratio"] for k, c in cells.items()
              if k[0] == DEFAULT and k[2] == way and k[3] != COLD}
    late = [f"  {city}, {size}, {moment}: {ratio:.3f}"
            for (_, city, _, moment, size), ratio in ratios.items() if ratio > goal]
    worst = max(ratios, key=ratios.get)
    return (f"last byte by the {way}, to its limit: worst {ratios[worst]:.3f} ({worst[1]}, "
            f"{worst[4]}, {worst[3]}), goal {goal:g}: {'short' if late else 'ok'}"), late
