# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: requests that two implementations may read differently, through a real edge to an
origin that records what it gets. The cases, with what must become of each, are data:
tests/support/desync_requests.py and desync_contents.py. Whatever one of them does, the request after
it is its own, and a bystander's, who shares the connections to the origin, is too."""

import json
import os
import subprocess
import threading
from pathlib import Path

import pytest

import desync_contents
import desync_requests
import perigee
from desync_requests import H
from edge_fleet import Responses, read_to_end

CASES = desync_requests.CASES + desync_contents.CASES
GROUPS = list(dict.fromkeys(case.group for case in CASES))
NEXT = f"GET /next HTTP/1.1\r\n{H}\r\n".encode()
BYSTANDER = f"GET /bystander HTTP/1.1\r\n{H}\r\n".encode()


def test_corpus_is_large_and_without_duplicates():
    assert len(CASES) >= 200
    assert len({(case.group, case.name) for case in CASES}) == len(CASES)


class Ended(Exception):
    pass


class Recorded:
    """A request as the origin got it."""

    def __init__(self, head):
        lines = head.decode("latin-1").split("\r\n")[:-2]
        self.text = head.decode("latin-1")
        self.start = lines[0]
        self.fields = [tuple(line.split(": ", 1)) for line in lines[1:]]
        self.content = b""
        self.whole = False
        self.ended = False

    def values(self, name):
        return [value for n, value in self.fields if n.lower() == name.lower()]


class Recorder:
    """The script of an origin that reads what the edge writes to the letter, and answers each request
    with its start line."""

    def __init__(self):
        self.requests = []
        self.lock = threading.Lock()

    def serve(self, conn):
        buffer = b""

        def more():
            nonlocal buffer
            chunk = conn.recv(65536)
            if not chunk:
                raise Ended
            buffer += chunk

        def until(end):
            nonlocal buffer
            while end not in buffer:
                more()
            found, _, buffer = buffer.partition(end)
            return found + end

        def take(n):
            nonlocal buffer
            while len(buffer) < n:
                more()
            data, buffer = buffer[:n], buffer[n:]
            return data

        def read_content(request):
            codings, lengths = request.values("Transfer-Encoding"), request.values("Content-Length")
            assert len(codings) + len(lengths) <= 1, request.text
            if lengths:
                request.content = take(int(lengths[0]))
            if not codings:
                return
            assert codings == ["chunked"], request.text
            while size := int(until(b"\r\n"), 16):
                request.content += take(size)
                assert take(2) == b"\r\n", request.text
            while (line := until(b"\r\n")) != b"\r\n":
                request.text += line.decode("latin-1")
                request.fields.append(tuple(line[:-2].decode("latin-1").split(": ", 1)))

        while True:
            try:
                request = Recorded(until(b"\r\n\r\n"))
            except (Ended, ConnectionError):
                return
            with self.lock:
                self.requests.append(request)
            try:
                read_content(request)
            except (Ended, ConnectionError):
                request.ended = True
                return
            request.whole = True
            said = request.start.encode("latin-1")
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(said)
                         + (b"" if request.start.startswith("HEAD ") else said))

    def since(self, n):
        with self.lock:
            return self.requests[n:]


@pytest.fixture
def recorder():
    return Recorder()


def check_fields(request, outcome):
    assert request.values("Host") == [outcome.host], request.text
    for field in outcome.has:
        name, value = field.split(":", 1)
        assert value.strip() in request.values(name), (field, request.text)
    for name in outcome.lacks:
        if name.startswith("~"):
            assert name[1:].lower() not in request.text.lower(), request.text
        else:
            assert not request.values(name), request.text
    assert request.text.isprintable() or all(c in "\r\n" or ord(c) >= 0x20 for c in request.text)


def expect_refused(s, outcome):
    got, in_order = read_to_end(s)
    assert got.startswith(b"HTTP/1.1 %d " % outcome.status), got
    assert got.count(b"HTTP/1.1 ") == 1 and b"\r\nConnection: close\r\n" in got and in_order, got


def expect_passed(s, outcome):
    r = Responses(s)
    status, fields = r.head()
    said = b"" if outcome.start.startswith("HEAD ") else r.body(fields)
    assert status == 200 and said in (b"", f"{outcome.start} HTTP/1.1".encode("latin-1")), (status, said)
    return r


def run_case(edge, recorder, case, after_broken):
    outcome = case.outcome
    known = len(recorder.since(0))
    with edge.connect() as s:
        s.sendall(case.wire.encode("latin-1") + NEXT)
        if outcome.kind in ("refused", "broken"):
            expect_refused(s, outcome)
        elif outcome.kind == "short":
            perigee.wait_for(lambda: recorder.since(known), "the head of what never ends")
        else:
            if outcome.kind == "answered":
                r = Responses(s)
                assert r.response()[0] == outcome.status
            else:
                r = expect_passed(s, outcome)
            if outcome.kind == "surplus":
                assert r.response()[0] == 400
            elif not outcome.closes:
                status, _, said = r.response()
                assert (status, said) == (200, b"GET /next HTTP/1.1"), said
            if outcome.closes:
                assert r.at_end()
    if outcome.kind in ("short", "broken"):
        perigee.wait_for(lambda: all(request.ended for request in recorder.since(known)),
                         "the origin to be let go")
    requests = recorder.since(known)
    if after_broken:
        # The origin's thread may have come to that one only now.
        requests = [request for request in requests if not request.ended]
    check_recorded(requests, outcome)


def check_recorded(requests, outcome):
    starts = [request.start for request in requests]
    after = [] if outcome.closes else ["GET /next HTTP/1.1"]
    if outcome.kind in ("refused", "answered"):
        assert starts == after
    elif outcome.kind in ("broken", "short"):
        # How much of it went out before the fault was found is the edge's affair.
        assert starts in ([], ["POST /case HTTP/1.1"])
        assert not any(request.whole for request in requests)
    else:
        assert starts == [f"{outcome.start} HTTP/1.1", *after]
        assert requests[0].content == outcome.content.encode("latin-1")
        check_fields(requests[0], outcome)
    assert all(request.whole for request in requests) or outcome.kind in ("broken", "short")


@pytest.mark.parametrize("group", GROUPS)
def test_desync(scripted, recorder, group):
    edge = scripted(recorder.serve)
    cases = [case for case in CASES if case.group == group]
    faults = []
    after_broken = False
    bystander = edge.connect()
    seen = Responses(bystander)
    for case in cases:
        try:
            run_case(edge, recorder, case, after_broken)
        except (AssertionError, OSError) as e:
            faults.append(f"{case.name}: {e!r}")
        after_broken = case.outcome.kind == "broken"
        bystander.sendall(BYSTANDER)
        status, _, said = seen.response()
        assert (status, said) == (200, b"GET /bystander HTTP/1.1"), (case.name, faults)
    bystander.close()
    assert not faults, "\n".join(faults)
    known = {"GET /next HTTP/1.1", "GET /bystander HTTP/1.1"}
    known |= {f"{case.outcome.start} HTTP/1.1" for case in cases}
    assert {request.start for request in recorder.since(0)} <= known
    counters = edge.settled()
    kinds = [case.outcome.kind for case in cases]
    malformed = sum(case.outcome.kind in ("refused", "broken", "surplus") or case.outcome.status == 400
                    for case in cases)
    assert counters["edge_end_client_malformed_total"] == malformed
    assert counters["edge_end_client_closed_total"] + counters["edge_end_client_reset_total"] \
        == kinds.count("short")
    assert counters["olink_requests_total"] <= len(recorder.since(0)) + kinds.count("broken")


def test_parser_says_the_same():
    """Byte by byte, without an edge round it."""
    program = Path(os.environ["PERIGEE_BUILD"]).resolve() / "tests" / "support" / "h1_cases"
    lines = "".join(f"request {(case.wire.encode('latin-1') + NEXT).hex()}\n" for case in CASES)
    run = subprocess.run([program], input=lines, capture_output=True, text=True, check=True)
    for case, line in zip(CASES, run.stdout.splitlines(), strict=True):
        got, kind = json.loads(line), case.outcome.kind
        told = (case.group, case.name, got)
        if kind == "refused":
            assert (got["verdict"], got["status"]) == ("bad", case.outcome.status), told
        elif kind == "broken":
            assert got["verdict"] == "bad", told
        elif kind == "short":
            assert got["verdict"] == "more", told
        elif kind in ("passes", "surplus"):
            assert got["verdict"] == "ok", told
            # Of a tunnel all that follows is content.
            if "Upgrade: websocket" not in case.outcome.has:
                assert bytes.fromhex(got["content"]) == case.outcome.content.encode("latin-1"), told
