# SPDX-License-Identifier: GPL-3.0-or-later
"""What a work is: something asked of one server once, verified before it is measured, and the figures
that come out. bench.py repeats and compares.
"""

import contextlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

import measure
import perigee as project


@dataclass(frozen=True)
class Figure:
    name: str
    title: str
    unit: str
    more_is_better: bool = False


@dataclass
class Sample:
    figure: float
    more: dict = field(default_factory=dict)  # of interest beside it


@dataclass(frozen=True)
class Work:
    name: str
    programs: dict  # server name -> what has a .program
    servers: tuple
    figures: tuple
    measure: Callable  # (bench, server name) -> {figure name: Sample}; raises Wrong, NotYet
    tools: tuple = ()  # programs that it cannot do without
    lesser: dict = field(default_factory=dict)  # server -> what it leaves out; shown, not compared


@dataclass
class Bench:
    """What the works share: the cores, the origin, certificates, a City database."""

    directory: Path
    server_core: int
    load_core: int
    seconds: float
    connections: int  # that http-idle holds
    authority: project.Authority
    certificates: dict  # kind -> (chain, key)
    origin: measure.Origin
    database: Path
    watcher: Callable = lambda pid: contextlib.nullcontext()  # around what is measured


def one(name, programs, title, unit, servers, run, more_is_better=False, **options):
    """A work of one figure, which has its name. run: (bench, server name) -> Sample"""
    return Work(name, programs, servers, (Figure(name, title, unit, more_is_better),),
                lambda bench, server: {name: run(bench, server)}, **options)


def costed(bench, process, run):
    """CPU time of `process` for each of what run() did and counted, in us."""
    with bench.watcher(process.pid):
        before, began = measure.cpu_of(process.pid), time.monotonic()
        count = run()
        took = time.monotonic() - began
        cpu = measure.cpu_of(process.pid) - before
    if not count:
        raise measure.Wrong("nothing was answered")
    return Sample(cpu.total / count * 1e6,
                  {"user": cpu.user / count * 1e6, "system": cpu.system / count * 1e6,
                   "count": count, "busy": cpu.total / took})
