# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: the rules of HTTP/2 and HPACK, each broken or kept by frames of our own. The rules are
data: tests/support/h2_rules.py. After what is a fault of one stream alone its connection goes on."""

import threading

import pytest

import perigee
from edge_fleet import read_head
from h2_frames import (DATA, END_HEADERS, FLOW_CONTROL_ERROR, GOAWAY, NO_ERROR, PREFACE, RST_STREAM, RawH2,
                       frame, request, settings)
from h2_rules import RULES

SECTIONS = list(dict.fromkeys(section for section, *_ in RULES))


@pytest.fixture
def edge(make_edge, origin):
    return make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"], health: {{enabled: false}}'},
                     http="per_client: {connections: 0, connection_rate: 0, requests: 0}")


def next_stream(c):
    return 2 * len(c.seen) + 1001


def check_reset(c, codes):
    code = c.reset(1)
    assert code in codes, code
    c.serves(next_stream(c))


def check_goaway(c, codes):
    code = c.goaway()
    assert code in codes, code


def check_either(c, codes):
    """The RFC leaves it to us whether it is the stream's fault or the connection's."""
    got = c.wait(lambda f: f.kind == GOAWAY or (f.kind == RST_STREAM and f.stream == 1),
                 "RST_STREAM or GOAWAY")
    assert got.code() in codes, got.code()
    if got.kind == GOAWAY:
        c.to_end()
    else:
        c.serves(next_stream(c))


def check_ignored(c, codes):
    """After it was closed, a frame may still have been on its way: ignored, or a fault."""
    c.serves(next_stream(c)) if not ended_by(c, codes) else None


def ended_by(c, codes):
    c.send(c.get(next_stream(c)))
    got = c.wait(lambda f: f.kind == GOAWAY or f.stream > 1000, "an answer")
    if got.kind != GOAWAY:
        return False
    assert got.code() in codes
    return True


def check_ends(c):
    """In order, and without a fault of the client's."""
    c.to_end()
    assert all(f.code() == NO_ERROR for f in c.seen if f.kind == GOAWAY)


CHECKS = {
    "serves": lambda c: c.serves(next_stream(c)),
    "reset": check_reset,
    "goaway": check_goaway,
    "either": check_either,
    "ignored": check_ignored,
    "ends": check_ends,
    "ended": lambda c: None,
    "last": lambda c: c.response((1 << 31) - 1),
    "whatever": lambda c: c.response(1),
}


def test_rules_are_all_there():
    assert len(RULES) >= 146
    assert len({rule[:2] for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("section", SECTIONS)
def test_section(edge, section):
    faults = []
    for _, name, do, (kind, *codes) in (rule for rule in RULES if rule[0] == section):
        with RawH2(edge) as c:
            try:
                do(c)
                CHECKS[kind](c, *codes)
            except (AssertionError, OSError) as e:
                faults.append(f"{name}: {e!r}; {[f for f in c.seen]}")
    assert not faults, "\n".join(faults)
    edge.settled()
    edge.wait_counter("edge_connections_active", 0)
    edge.wait_counter("olink_active_connections", 0)


def test_client_that_ignores_its_windows(make_edge, scripted_origin):
    """The origin takes nothing: what is sent all the same is a fault, and is not kept."""
    done = threading.Event()
    origin = scripted_origin(lambda conn: read_head(conn) and done.wait(perigee.PATIENCE),
                             receive_buffer=4096)
    edge = make_edge({"app": origin.origin()})
    with RawH2(edge) as c:
        c.send(c.headers(1, request("POST", "/x"), END_HEADERS))
        # More than the kernel and the edge hold together.
        for _ in range(100):
            c.send(frame(DATA, 0, 1, bytes(16384)) * 16)
        got = c.wait(lambda f: f.kind in (RST_STREAM, GOAWAY), "RST_STREAM or GOAWAY")
        assert got.code() == FLOW_CONTROL_ERROR
        done.set()
    edge.wait_counter("edge_connections_active", 0)


@pytest.mark.parametrize("preface", [
    b"GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n" + bytes(100),
    PREFACE[:-1] + b"x" + settings(),
    # RFC 9113 section 3.4: SETTINGS are a part of it.
    PREFACE + bytes(9 + 8),
])
def test_preface_that_is_none(edge, preface):
    with RawH2(edge, first=preface) as c:
        assert c.goaway() != NO_ERROR
    edge.wait_counter("edge_connections_active", 0)
