# SPDX-License-Identifier: GPL-3.0-or-later
"""What a chaos run remembers: when something was broken on purpose, and what became of each request
that should have gone well."""

import collections
import contextlib
import threading
import time

import perigee

# How long after its repair a thing may still be felt: health checks that must succeed again, answers
# of a resolver that are kept, requests that had begun.
AFTERMATH = 6.0


class Trouble:
    """The times in which something is broken on purpose. Any thread."""

    def __init__(self):
        self.lock = threading.Lock()
        self.since = None
        self.held = 0
        self.last_end = None

    def begin(self):
        with self.lock:
            if self.since is None:
                self.since = time.monotonic()
            self.held += 1

    def end(self):
        with self.lock:
            self.held = max(0, self.held - 1)
            if self.held == 0 and self.since is not None:
                self.since, self.last_end = None, time.monotonic()

    @contextlib.contextmanager
    def while_it_lasts(self):
        self.begin()
        try:
            yield
        finally:
            self.end()

    def touches(self, began):
        """Whether it may have been felt by what began then and ends now."""
        aftermath = AFTERMATH * (3 if perigee.sanitized() else 1)
        with self.lock:
            return self.since is not None or (
                self.last_end is not None and self.last_end + aftermath >= began)


class Ledger:
    """Outcomes by kind. What is not allowed is a fault and is told at the end. Any thread."""

    KEPT = 40

    def __init__(self):
        self.lock = threading.Lock()
        self.outcomes = collections.Counter()
        self.faults = []
        self.fault_count = 0

    def count(self, kind, outcome):
        with self.lock:
            self.outcomes[kind, outcome] += 1

    def fault(self, text):
        with self.lock:
            self.fault_count += 1
            if len(self.faults) < self.KEPT:
                self.faults.append(text)

    def judge(self, event, kind, answer, began, troubles):
        """`answer`: None for the right one, "wrong: ..." for one that must never be, else what
        came instead; allowed while one of the troubles is felt."""
        if answer is None:
            self.count(kind, "right")
        elif not answer.startswith("wrong: ") and any(t.touches(began) for t in troubles):
            self.count(kind, "allowed")
        else:
            self.count(kind, "FAULT")
            self.fault(f"event {event}, {kind}, after {time.monotonic() - began:.1f} s: {answer}")

    def table(self):
        kinds = sorted({k for k, _ in self.outcomes})
        return [f"{kind:20}" + "".join(f"  {o} {n}" for (k, o), n in sorted(self.outcomes.items())
                                       if k == kind) for kind in kinds]
