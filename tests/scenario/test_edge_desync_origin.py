# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: responses that two implementations may read differently, from an origin that sends
them through a real edge. The cases, with what must become of each, are data:
tests/support/desync_responses.py. Whatever the origin sends, the next request gets its own response,
by whichever connection."""

import contextlib
import threading

import pytest

import perigee
from desync_responses import CASES, CLOSE
from edge_fleet import HOST, Responses, read_to_end

GROUPS = list(dict.fromkeys(case.group for case in CASES))


def test_corpus_is_large_and_without_duplicates():
    assert len(CASES) >= 150
    assert len({(case.group, case.name) for case in CASES}) == len(CASES)


class Origin:
    """Its script: /case is answered with the pieces of the case at hand, all else with its path."""

    def __init__(self):
        self.case = None
        self.received = threading.Event()  # the client has its response
        self.connections = {}  # number: what was asked for on it
        self.open = set()
        self.lock = threading.Lock()

    def serve(self, conn):
        with self.lock:
            number = len(self.connections)
            self.connections[number] = []
            self.open.add(number)
        try:
            with contextlib.suppress(ConnectionError):
                self.answer(conn, self.connections[number])
        finally:
            with self.lock:
                self.open.discard(number)

    def answer(self, conn, asked):
        buffer = b""
        while True:
            while b"\r\n\r\n" not in buffer:
                chunk = conn.recv(65536)
                if not chunk:
                    return
                buffer += chunk
            head, _, buffer = buffer.partition(b"\r\n\r\n")
            path = head.split(b" ")[1]
            asked.append(path.decode())
            if path == b"/case":
                if not self.send_case(conn):
                    return
            else:
                conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(path), path))

    def send_case(self, conn):
        for i, piece in enumerate(self.case.pieces):
            if piece is CLOSE:
                return False
            if i > 0:
                assert self.received.wait(perigee.PATIENCE)
            conn.sendall(piece.encode("latin-1"))
        return True

    def begin(self, case):
        self.case = case
        self.received.clear()
        with self.lock:
            for asked in self.connections.values():
                asked.clear()

    def asked(self, path):
        """On which connections."""
        with self.lock:
            return [number for number, paths in self.connections.items() if path in paths]


@pytest.fixture
def origin():
    return Origin()


def read_response(s, case):
    """(status, fields, content, whether the connection goes on); informational ones are left out."""
    r = Responses(s)
    status = 100
    while 100 <= status < 200 and status != 101:
        status, fields = r.head()
        assert status >= 200 or " HTTP/1.0" not in case.request
    if status == 101:
        content, in_order = read_to_end(s)
        return status, fields, r.buffer + content, not in_order
    goes_on = fields.get("connection") != "close"
    if case.request.startswith("HEAD") or status in (204, 304):
        return status, fields, b"", goes_on
    if "content-length" in fields:
        return status, fields, r.bytes(int(fields["content-length"])), goes_on
    if "transfer-encoding" not in fields:
        rest, in_order = read_to_end(s)
        assert in_order and not goes_on
        return status, fields, r.buffer + rest, False
    content = b""
    while size := int(r.line(), 16):
        content += r.bytes(size)
        assert r.line() == b""
    while line := r.line():
        name, _, value = line.decode().partition(": ")
        fields[name.lower()] = value
    return status, fields, content, goes_on


def check_next(s):
    s.sendall(f"GET /next HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    r = Responses(s)
    assert r.response()[::2] == (200, b"/next") and r.buffer == b""


def check_cut(s):
    got, in_order = read_to_end(s)
    assert not in_order and b"smuggled" not in got and not got.endswith(b"\r\n0\r\n\r\n"), got


def check_response(s, case, origin):
    """Whether the connection goes on."""
    outcome = case.outcome
    status, fields, content, goes_on = read_response(s, case)
    origin.received.set()
    assert status == outcome.status, (status, fields, content)
    if outcome.kind != "bad":
        assert content == outcome.content.encode("latin-1"), content
    for field in outcome.has:
        name, value = field.split(": ")
        assert value in fields.get(name.lower(), ""), fields
    for name in outcome.lacks:
        assert name.lower() not in fields, fields
    return goes_on


def run_case(edge, origin, case):
    outcome = case.outcome
    goes_on = False
    origin.begin(case)
    with edge.connect() as s:
        s.sendall(case.request.encode())
        if outcome.kind == "cut":
            check_cut(s)
        else:
            goes_on = check_response(s, case, origin)
        by = origin.asked("/case")
        if not outcome.keeps:
            perigee.wait_for(lambda: not origin.open & set(by), "the origin's connection to end")
        if goes_on:
            check_next(s)
    if not goes_on:
        with edge.connect() as s:
            check_next(s)
    assert (origin.asked("/next")[-1:] == by[-1:]) == outcome.keeps, (by, origin.asked("/next"))


@pytest.mark.parametrize("group", GROUPS)
def test_desync(scripted, origin, group):
    edge = scripted(origin.serve, more="limit: {connections: 1}")
    cases = [case for case in CASES if case.group == group]
    faults = []
    for case in cases:
        try:
            run_case(edge, origin, case)
        except (AssertionError, OSError) as e:
            faults.append(f"{case.name}: {e!r}")
    assert not faults, "\n".join(faults)
    counters = edge.settled()
    kinds = [case.outcome.kind for case in cases]
    failed = sum(counters[f"edge_end_origin_{why}_total"] for why in ("malformed", "closed", "truncated"))
    assert failed == kinds.count("bad") + kinds.count("cut")
    assert counters["edge_responses_5xx_total"] == kinds.count("bad")
