# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: what has been built to wear out a server by HTTP/2. Each attack ends in a GOAWAY that
says why, is counted, and is not noticed by a bystander on the same worker."""

import struct

import pytest

from edge_fleet import HOST, Responses
from h2_frames import (CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM,
                       FRAME_SIZE_ERROR, GOAWAY, HEADERS, HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE,
                       MAX_CONCURRENT_STREAMS, PRIORITY, PRIORITY_UPDATE, PROTOCOL_ERROR, RST_STREAM, Ended,
                       RawH2, frame, ping, priority, request, rst_stream, settings, window_update)

# What a connection may do at most here, so that the attacks need not be long.
RESETS = 50
STREAMS = 100
LIMITS = f"h2: {{resets: {RESETS}, frames: 100, streams: {STREAMS}}}, "
MANY = 2000


class Attack:
    """Frames, burst after burst; every stream is a new one."""

    def __init__(self, c):
        self.c = c
        self.stream = -1

    def next(self):
        self.stream += 2
        return self.stream

    def get(self):
        return self.c.get(self.next())

    def post(self, more=()):
        return self.c.headers(self.next(), request("POST", "/echo", more=more), END_HEADERS)


def rapid_reset(a):
    """CVE-2023-44487."""
    return a.get() + rst_stream(a.stream)


def reset_after_content(a):
    return a.post() + frame(DATA, 0, a.stream, b"x") + rst_stream(a.stream)


# CVE-2025-8671: it is the server that resets the streams, made to do so by faults.

def made_by_window_of_zero(a):
    return a.post() + window_update(a.stream, 0)


def made_by_window_that_overflows(a):
    return a.post() + window_update(a.stream, (1 << 31) - 1)


def made_by_length(a):
    return a.post([("content-length", "1")]) + frame(DATA, END_STREAM, a.stream, b"xx")


def made_by_malformed_head(a):
    return a.c.headers(a.next(), request(more=[("connection", "close")]))


def made_by_priority_of_no_size(a):
    return a.post() + frame(PRIORITY, 0, a.stream, b"x")


def pings(a):
    return ping()


def changed_settings(a):
    return settings((MAX_CONCURRENT_STREAMS, 1))


def empty_settings(a):
    return settings()


def priorities(a):
    return priority(1001, on=3)


def priority_updates(a):
    return frame(PRIORITY_UPDATE, 0, 0, struct.pack("!I", 1001) + b"u=1")


def empty_data(a):
    """CVE-2019-9518."""
    return (a.post() if a.stream < 0 else b"") + frame(DATA, 0, 1)


def padding_alone(a):
    return (a.post() if a.stream < 0 else b"") + frame(DATA, 8, 1, bytes([8]) + bytes(8))


def window_updates(a):
    return window_update(0, 1)


def window_updates_of_a_stream(a):
    return (a.post() if a.stream < 0 else b"") + window_update(1, 1)


def unknown_frames(a):
    return frame(0xbe, 0, 0, b"x")


def continuations(a):
    """CVE-2024-27316 and its like: a header section without end."""
    if a.stream < 0:
        return frame(HEADERS, END_STREAM, a.next(), a.c.block(request()))
    return frame(CONTINUATION, 0, 1, b"\x00\x01x\x01y" * 10)


def empty_continuations(a):
    if a.stream < 0:
        return frame(HEADERS, END_STREAM, a.next(), a.c.block(request()))
    return frame(CONTINUATION, 0, 1, b"")


def bomb(a):
    """CVE-2016-6581: an entry of the table, and then one byte for each time it is meant."""
    value = b"z" * 3900
    over = len(value) - 127
    entry = b"\x40\x04bomb\x7f" + bytes([over & 0x7F | 0x80, over >> 7]) + value
    return frame(HEADERS, END_STREAM | END_HEADERS, a.next(), a.c.block(request()) + entry + b"\xbe" * 8000)


# With the counter of each; some are of two kinds, and either may be the first to be too much.
ATTACKS = {
    rapid_reset: "reset",
    reset_after_content: "reset",
    made_by_window_that_overflows: "made_reset|window_update",
    made_by_length: "made_reset",
    made_by_malformed_head: "made_reset",
    pings: "ping",
    changed_settings: "settings",
    empty_settings: "settings",
    priorities: "priority",
    priority_updates: "priority",
    empty_data: "empty",
    padding_alone: "empty",
    window_updates: "window_update",
    window_updates_of_a_stream: "window_update",
    unknown_frames: "unknown",
    continuations: "continuation",
    empty_continuations: "continuation",
    bomb: "header_list",
}


# Faults that could have been the stream's alone, but are taken for the connection's.
ENDED_AT_ONCE = {
    made_by_window_of_zero: PROTOCOL_ERROR,
    made_by_priority_of_no_size: FRAME_SIZE_ERROR,
}


@pytest.fixture
def flooded(make_edge, origin):
    def make(http=""):
        return make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"], health: {{enabled: false}}'},
                         http=LIMITS + http)

    return make


class Bystander:
    """Asks now and then, on a connection of its own."""

    def __init__(self, edge):
        self.socket = edge.connect()
        self.responses = Responses(self.socket)
        self.asked = 0

    def is_served(self):
        self.asked += 1
        self.socket.sendall(f"GET /bytes/{self.asked} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        status, _, content = self.responses.response()
        assert (status, len(content)) == (200, self.asked)


def floods(counters):
    return {name: n for name, n in counters.items() if name.startswith("edge_h2_flood_") and n}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_flood(flooded, attack):
    edge = flooded()
    bystander = Bystander(edge)
    bystander.is_served()
    with RawH2(edge) as c:
        a = Attack(c)
        for i in range(MANY):
            if not c.send(attack(a)):
                break
            if i % 100 == 0:
                bystander.is_served()
        assert c.goaway() == ENHANCE_YOUR_CALM
    bystander.is_served()
    counters = edge.settled()
    kinds = [f"edge_h2_flood_{kind}_total" for kind in ATTACKS[attack].split("|")]
    counted = floods(counters)
    assert list(counted.values()) == [1] and counted.keys() <= set(kinds), counted
    assert counters["edge_connection_end_client_flood_total"] == 1
    # Little of it has come to the origin: what was read at once is dealt with before it is judged.
    assert counters["olink_requests_total"] <= bystander.asked + RESETS + STREAMS
    bystander.socket.close()
    edge.wait_counter("edge_connections_active", 0)
    edge.wait_counter("olink_active_connections", 0)


@pytest.mark.parametrize("attack", ENDED_AT_ONCE, ids=lambda attack: attack.__name__)
def test_fault_that_ends_the_connection(flooded, attack):
    edge = flooded()
    bystander = Bystander(edge)
    with RawH2(edge) as c:
        c.send(attack(Attack(c)))
        assert c.goaway() == ENDED_AT_ONCE[attack]
    bystander.is_served()
    assert edge.settled()["edge_connection_end_client_malformed_total"] == 1


def test_what_is_usual_is_no_flood(flooded):
    edge = flooded()
    with RawH2(edge) as c:
        for i in range(40):
            c.send(ping(), settings(), priority(999), window_update(0, 1), c.get(2 * i + 1))
            assert c.response(2 * i + 1)[0] == 200
        c.send(*(c.get(2 * i + 1001) + rst_stream(2 * i + 1001) for i in range(40)))
        c.serves(5001)
    assert floods(edge.settled()) == {}


def test_answers_that_are_not_read(flooded):
    """CVE-2019-9512, 9515: the answers to PING and SETTINGS pile up. What is not taken is not read."""
    edge = flooded("timeout: {write: 1s}")
    bystander = Bystander(edge)
    with RawH2(edge) as c:
        c.socket.settimeout(1)
        while c.send(ping() * 100):
            bystander.is_served()
            if floods(edge.counters()):
                break
        c.socket.settimeout(30)
        assert c.goaway() == ENHANCE_YOUR_CALM
    bystander.is_served()
    assert floods(edge.settled()) == {"edge_h2_flood_ping_total": 1}


def test_window_that_dribbles(flooded):
    """CVE-2019-9511: a byte at a time of a large response."""
    edge = flooded()
    bystander = Bystander(edge)
    with RawH2(edge, first=None) as c:
        c.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", settings((INITIAL_WINDOW_SIZE, 1)),
               c.get(1, path="/bytes/1000000"))
        try:
            while not any(f.kind == GOAWAY for f in c.seen):
                if c.read().kind == DATA:
                    c.send(window_update(1, 1))
        except Ended:
            pass
        bystander.is_served()
        assert c.goaway() == ENHANCE_YOUR_CALM
        assert len(c.content[1]) < 1000
    # The one or the other: both say it.
    assert sum(floods(edge.settled()).values()) == 1


def test_windows_that_stay_shut_hold_little_and_not_for_long(flooded):
    """Many large responses whose windows are not opened: what is held for them is bounded, and ends."""
    edge = flooded("timeout: {write: 1s}, ")
    bystander = Bystander(edge)
    with RawH2(edge, first=None) as c:
        c.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", settings((INITIAL_WINDOW_SIZE, 0)),
               *(c.get(2 * i + 1, path="/bytes/10000000") for i in range(40)))
        for _ in range(40):
            c.wait(lambda f: f.kind == HEADERS, "HEADERS")
        bystander.is_served()
        for _ in range(40):
            got = c.wait(lambda f: f.kind == RST_STREAM, "RST_STREAM")
            assert got.code() == CANCEL
        assert not c.content
    counters = edge.settled()
    assert counters["edge_end_client_write_timeout_total"] == 40
    edge.wait_counter("edge_connections_active", 1)
    bystander.is_served()


def test_head_that_never_ends(flooded):
    edge = flooded("timeout: {head: 500ms}, ")
    bystander = Bystander(edge)
    with RawH2(edge) as c:
        c.send(frame(HEADERS, END_STREAM, 1, c.block(request())))
        assert c.goaway() == ENHANCE_YOUR_CALM
    bystander.is_served()
    assert edge.settled()["edge_connection_end_client_head_timeout_total"] == 1


def test_table_that_the_client_would_have_larger(flooded):
    """RFC 7541 section 4.2: the edge need not use more than it likes, and says what it uses."""
    edge = flooded()
    with RawH2(edge) as c:
        c.send(settings((HEADER_TABLE_SIZE, (1 << 32) - 1)))
        for i in range(20):
            c.send(c.get(2 * i + 1, path=f"/bytes/{i}"))
            # The decoder takes no update over 4,096.
            assert c.response(2 * i + 1)[0] == 200
        assert c.decoder.header_table_size <= 4096
