# SPDX-License-Identifier: GPL-3.0-or-later
"""From samples to tables: medians, ratios to the best peer, goals met or not; and the machine."""

import os
import platform
import re
import statistics
import subprocess
import time
import tomllib
from pathlib import Path

GOALS = Path(__file__).resolve().parent / "goals.toml"
OURS = "perigee"


def goals():
    with open(GOALS, "rb") as f:
        return tomllib.load(f)


def table(header, rows, markdown=False):
    """First column to the left, the others to the right."""
    cells = [[str(c) for c in r] for r in [header, *rows]]
    widths = [max(len(r[i]) for r in cells) for i in range(len(header))]
    lines = []
    for row in cells:
        padded = [c.ljust(w) if i == 0 else c.rjust(w)
                  for i, (c, w) in enumerate(zip(row, widths))]
        lines.append(f"| {' | '.join(padded)} |" if markdown else "  ".join(padded).rstrip())
    rule = ["-" * w if i == 0 or not markdown else "-" * (w - 1) + ":"
            for i, w in enumerate(widths)]
    lines.insert(1, f"| {' | '.join(rule)} |" if markdown else "  ".join(rule))
    return "\n".join(lines)


def first_version(program, *args):
    """The first thing that looks like a version in what `program args` says, or None."""
    try:
        done = subprocess.run([program, *args], capture_output=True, text=True, timeout=10,
                              check=False)
    except OSError:
        return None
    m = re.search(r"\d+\.\d+[.\w+-]*", done.stdout + done.stderr)
    return m and m.group(0)


def machine():
    """What the figures were measured on, and when."""
    cpu = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    release = platform.freedesktop_os_release()
    return {
        "date": time.strftime("%Y-%m-%d %H:%M %Z"),
        "processor": cpu.group(1) if cpu else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30),
        "kernel": platform.release(),
        "system": release.get("PRETTY_NAME", platform.system()),
    }


def machine_line(m):
    return (f"{m['date']}, {m['processor']}, {m['cores']} cores, {m['memory_gib']} GiB, "
            f"{m['system']}, Linux {m['kernel']}")


def number(x):
    """Three significant digits, as people write them."""
    if x >= 1000:
        return f"{x:,.0f}"
    for limit, digits in ((100, 1), (10, 2)):
        if x >= limit:
            return f"{x:.{digits}f}"
    return f"{x:.3g}"


def spread(values):
    return f"{number(statistics.median(values))} ({number(min(values))}-{number(max(values))})"


def medians_of_peers(samples):
    return {n: statistics.median(v) for n, v in samples.items() if n != OURS}


def ratios(samples, peer):
    """Ours to the peer's, round by round: the machine's drift is in both."""
    return [a / b for a, b in zip(samples[OURS], samples[peer])]


def judge_cost(figure, samples, goal, lesser):
    """Our cost beside that of the cheapest peer, or of the one that the goal names. samples:
    server -> figures, one for each round; lesser: servers that do less, and what they leave out:
    where one of them is the cheapest, `same` tells of the cheapest that does the same as we."""
    peers = medians_of_peers(samples)
    cheapest = min(peers, key=peers.get, default=None)
    peer = goal["peer"].get(figure.name, cheapest)
    wanted = goal["ratio"].get(figure.name)
    if peer not in peers:  # so that nobody takes another's figure for the goal's
        peer, wanted = cheapest, None
    row = {"title": figure.title, "unit": figure.unit, "peer": peer, "peer_figure": peers.get(peer),
           "goal": wanted}
    if OURS not in samples:
        return row
    row["ours"] = statistics.median(samples[OURS])
    met = []
    ceiling = goal["ceiling"].get(figure.name)
    if ceiling is not None:
        row.update(goal=ceiling, absolute=True)
        met.append(row["ours"] <= ceiling)
    if peer:
        r = ratios(samples, peer)
        row.update(ratio=statistics.median(r), ratio_low=min(r), ratio_high=max(r))
        if wanted is not None:
            met.append(row["ratio"] <= wanted)
    if met:
        row["verdict"] = "ok" if all(met) else "short"
    equals = {n: m for n, m in peers.items() if n not in lesser}
    if peer in lesser and equals:
        same = min(equals, key=equals.get)
        row["same"] = {"peer": same, "ratio": statistics.median(ratios(samples, same)),
                       "why": f"{peer} {lesser[peer]}"}
    return row


def judge_share(figure, samples, goal, ours_before):
    """A share that is to be high, on its own. ours_before: figure name -> our median, of those that
    it may have to be compared with."""
    peers = medians_of_peers(samples)
    peer = max(peers, key=peers.get, default=None)
    row = {"title": figure.title, "unit": figure.unit, "peer": peer, "peer_figure": peers.get(peer),
           "goal": goal["floor"].get(figure.name)}
    if OURS in samples:
        row["ours"] = statistics.median(samples[OURS])
        other = ours_before.get(goal["no-lower"].get(figure.name), 0)
        if row["goal"] is not None:
            met = row["ours"] >= row["goal"] and round(row["ours"], 2) >= round(other, 2)
            row["verdict"] = "ok" if met else "short"
    return row


def judge(works, all_samples, goal, not_yet, dropped):
    """figure name -> row, in order. not_yet: figure name -> what Perigee has not; dropped: figure name
    -> servers that were wrong."""
    rows = {}
    for work in works:
        for figure in work.figures:
            samples = all_samples[figure.name]
            if figure.more_is_better:
                before = {n: r["ours"] for n, r in rows.items() if "ours" in r}
                row = judge_share(figure, samples, goal, before)
            else:
                row = judge_cost(figure, samples, goal, work.lesser)
            if figure.name in dropped:
                row["verdict"] = "wrong: " + ", ".join(dropped[figure.name])
            if figure.name in not_yet:
                row["verdict"] = "not yet"
                row["missing"] = not_yet[figure.name]
            rows[figure.name] = row
    return rows


def server_table(works, all_samples, more, markdown=False):
    """All servers, each figure with its spread. more: figure name -> server -> dicts."""
    lines = []
    for work in works:
        for figure in work.figures:
            for server, values in all_samples[figure.name].items():
                extra = more[figure.name][server]
                parts = [number(statistics.median(e[k] for e in extra)) if k in extra[0] else ""
                         for k in ("user", "system")]
                parts.append(f"{statistics.median(e['busy'] for e in extra):.0%}"
                             if "busy" in extra[0] else "")
                lines.append([f"{figure.title} ({figure.unit})",
                              server + ("*" if server in work.lesser else ""), spread(values),
                              *parts])
    return table(["work", "server", "median (min-max)", "user", "system", "core busy"], lines,
                 markdown)


def verdict_table(rows, markdown=False):
    def cell(row, key, form=number):
        return form(row[key]) if row.get(key) is not None else ""

    def two(x):
        return f"{x:.2f}"

    lines = []
    for row in rows.values():
        between = f"{two(row['ratio_low'])}-{two(row['ratio_high'])}" if "ratio" in row else ""
        share = row["unit"] == "%"
        absolute = share or row.get("absolute")
        form = two if share else number
        lines.append([f"{row['title']} ({row['unit']})", cell(row, "ours", form), row["peer"] or "",
                      cell(row, "peer_figure", form), cell(row, "ratio", two), between,
                      cell(row, "ratio_before", two),
                      cell(row, "goal", lambda g, u=row["unit"], a=absolute:
                           f"{g:g} {u}" if a else two(g)),
                      row.get("verdict", "")])
    return table(["work", "Perigee", "best peer", "its figure", "ratio", "min-max", "before", "goal",
                  ""], lines, markdown)


def footnotes(rows):
    """Where the best peer does less than we: the best of those that do the same."""
    return [f"{row['title']}: {row['same']['why']}; of the peers that do the same {row['same']['peer']} "
            f"is the best, the ratio to it {row['same']['ratio']:.2f}."
            for row in rows.values() if "same" in row]
