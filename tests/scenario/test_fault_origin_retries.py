# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that refuse, break off and stall, beside one that is well: what reaches the client, how
often a server was asked, and what the access log tells of it. Each test is named after its fault."""

import socket
import threading

import pytest

from edge_fleet import ask_each, read_head, reset
from perigee import wait_for

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy"
RETRIES = "retries: {attempts: 2, statuses: 503}"


class Asked:
    """The heads that a server was sent, by the first line of each."""

    def __init__(self):
        self.lock = threading.Lock()
        self.lines = []

    def note(self, head):
        with self.lock:
            self.lines.append(head.split(b"\r\n")[0].decode())


@pytest.fixture
def servers(scripted_origin):
    """servers(act): the addresses of two servers, of which the first does so with what it is asked,
    once for each connection, and the other is well; and what each was asked."""
    def make(act):
        asked = Asked(), Asked()

        def broken(conn):
            head = read_head(conn)
            if head:
                asked[0].note(head)
                act(conn)

        def well(conn):
            while head := read_head(conn):
                asked[1].note(head)
                conn.sendall(OK)

        addresses = [f"127.0.0.1:{scripted_origin(script).port}" for script in (broken, well)]
        return addresses, asked
    return make


def run(make_edge, addresses, options=RETRIES):
    return make_edge({"app": f"servers: {addresses}, health: {{enabled: false}}, {options}"})


def tries(edge, n):
    """Of the n lines of the access log, those of requests that had more than one attempt."""
    return [line for line in edge.access_log(n) if "tries" in line]


def test_refused(make_edge, servers):
    addresses, asked = servers(lambda conn: None)
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        addresses[0] = f"127.0.0.1:{nobody.getsockname()[1]}"
    edge = run(make_edge, addresses)
    # POST too: nothing of it was sent.
    assert ask_each(edge, "POST", 4) == [200] * 4
    assert len(asked[1].lines) == 4
    lines = tries(edge, 4)
    assert lines
    for line in lines:
        assert "retries" not in line
        assert line["tries"][0]["end"] == "origin-connect-refused"
        assert line["tries"][0]["server"] == addresses[0]
        assert line["server"] == addresses[1]


def test_reset_before_the_first_byte(make_edge, servers):
    addresses, asked = servers(reset)
    edge = run(make_edge, addresses)
    assert ask_each(edge, "GET", 4) == [200] * 4
    assert asked[0].lines and len(asked[1].lines) == 4
    lines = tries(edge, 4)
    assert len(lines) == len(asked[0].lines)
    for line in lines:
        assert line["retries"] == 1 and line["status"] == 200
        assert [(t["server"], t["end"]) for t in line["tries"]] == [(addresses[0], "origin-reset")]


def test_reset_before_the_first_byte_of_what_must_not_be_done_twice(make_edge, servers):
    addresses, asked = servers(reset)
    edge = run(make_edge, addresses, "retries: {attempts: 10, statuses: 503}")
    got = ask_each(edge, "POST", 6)
    # Each was asked of one server, once.
    assert got.count(502) == len(asked[0].lines) > 0
    assert got.count(200) == len(asked[1].lines) == 6 - len(asked[0].lines)
    assert not tries(edge, 6)


def test_reset_of_a_connection_that_was_idle(make_edge, servers):
    """A new one to the same server would cost round trips, and it may have just ended; there is a
    connection to another one that is ready."""
    addresses, asked = servers(reset)
    edge = run(make_edge, addresses, "retries: 1, pool: {warm: 2}")
    wait_for(lambda: edge.status()["counters"]["olink_idle_connections"] >= 4, "connections")
    assert ask_each(edge, "GET", 4) == [200] * 4
    assert asked[0].lines and len(asked[1].lines) == 4
    assert edge.status()["counters"]["olink_connects_total"] == 0
    for line in tries(edge, 4):
        assert [(t["server"], t["end"]) for t in line["tries"]] == [(addresses[0], "origin-reset")]


def test_reset_after_the_first_byte(make_edge, servers):
    def act(conn):
        conn.sendall(b"HTTP/1.1 2")
        reset(conn)

    addresses, asked = servers(act)
    edge = run(make_edge, addresses)
    got = ask_each(edge, "GET", 6)
    assert got.count(502) == len(asked[0].lines) > 0
    assert got.count(200) == len(asked[1].lines) == 6 - len(asked[0].lines)
    assert not tries(edge, 6)


def test_stalled_in_the_content(make_edge, servers):
    done = threading.Event()

    def act(conn):
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome")
        done.wait(10)

    addresses, asked = servers(act)
    edge = run(make_edge, addresses, f"{RETRIES}, timeout: {{idle: 300ms}}")
    try:
        got = ask_each(edge, "GET", 4)
    finally:
        done.set()
    # What the client has begun to get is not begun again.
    assert got.count(0) == len(asked[0].lines) > 0
    assert got.count(200) == len(asked[1].lines) == 4 - len(asked[0].lines)
    ends = [line["end"] for line in edge.access_log(4) if line["end"] != "done"]
    assert ends == ["origin-body-timeout"] * len(asked[0].lines)


def test_silent_before_the_head(make_edge, servers):
    done = threading.Event()
    addresses, asked = servers(lambda conn: done.wait(10))
    edge = run(make_edge, addresses, "retries: {per_try_timeout: 200ms}")
    try:
        assert ask_each(edge, "GET", 4) == [200] * 4
    finally:
        done.set()
    assert asked[0].lines
    assert {t["end"] for line in tries(edge, 4) for t in line["tries"]} == {"took-long"}


def test_slow_answer_is_outrun(make_edge, servers):
    done = threading.Event()
    addresses, asked = servers(lambda conn: done.wait(10))
    edge = run(make_edge, addresses, "retries: {hedge: {enabled: true, after: 50ms}}")
    try:
        assert ask_each(edge, "GET", 4) == [200] * 4
    finally:
        done.set()
    assert asked[0].lines
    lines = tries(edge, 4)
    assert {t["end"] for line in lines for t in line["tries"]} == {"lost"}
    assert all("retries" not in line for line in lines)
    # On a machine that is busy the other may seem slow too.
    outrun = [t for line in lines for t in line["tries"] if t["server"] == addresses[0]]
    assert edge.status()["counters"]["olink_hedges_won_total"] == len(outrun) > 0


def test_busy(make_edge, servers):
    addresses, asked = servers(lambda conn: conn.sendall(BUSY))
    edge = run(make_edge, addresses)
    assert ask_each(edge, "GET", 4) == [200] * 4
    assert asked[0].lines
    assert {t["end"] for line in tries(edge, 4) for t in line["tries"]} == {"503"}


def test_outage_is_not_amplified(make_edge, servers):
    """All are busy: without a budget each request would have been sent three times."""
    addresses, asked = servers(lambda conn: conn.sendall(BUSY))
    edge = run(make_edge, addresses[:1],
               "retries: {attempts: 2, statuses: 503, budget: {share: 20%, min: 0}}")
    assert ask_each(edge, "GET", 50) == [503] * 50
    assert 50 <= len(asked[0].lines) <= 60
    assert edge.status()["counters"]["olink_retries_refused_total"] >= 40


def test_route_has_its_own_way(make_edge, servers):
    addresses, asked = servers(lambda conn: conn.sendall(BUSY))
    edge = make_edge({"app": f"servers: {addresses[:1]}, health: {{enabled: false}}, {RETRIES}"},
                     routes={"/": ("app", "retries: 0")})
    assert ask_each(edge, "GET") == [503]
    assert len(asked[0].lines) == 1
