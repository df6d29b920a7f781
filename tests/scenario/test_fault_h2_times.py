# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: what a client of HTTP/2 does all the time put off for ever what has its time. Whatever
else goes on on its connection, a response that is not taken is given up. Nor does it bring forward what
has its time when the connection is to end."""

import select
import signal
import threading
import time

import pytest

import h2.connection
from edge_fleet import read_head
from h2_client import Client, ErrorCodes, SettingCodes
from h2_frames import (CONTINUATION, END_HEADERS, END_STREAM, GOAWAY, HEADERS, NO_ERROR, RawH2, frame,
                       request)

# Well within all that is waited for.
STEP = 0.005


def ask_in_two_parts(c):
    """Its head is not whole for a while."""
    stream = c.h2.get_next_available_stream_id()
    block = c.h2.encoder.encode(c.fields(path="/bytes/1"))
    c.h2.state_machine.process_input(h2.connection.ConnectionInputs.SEND_HEADERS)
    c.h2._begin_new_stream(stream, h2.connection.AllowedStreamIDs(c.h2.config.client_side))
    c.send(frame(HEADERS, END_STREAM, stream, block[:5]))
    select.select([], [], [], STEP)
    c.send(frame(CONTINUATION, END_HEADERS, stream, block[5:]))


def ask_without_end(c):
    """It is answered before it is whole, and lingers."""
    c.ask("/bytes/1", method="POST", end=False, fields=[("expect", "nothing")])


def go_on(c, s, what):
    """Until the stream was reset, or it is clear that it will not be."""
    for _ in range(190):
        what(c)
        while select.select([c.socket], [], [], 0)[0] or c.socket.pending():
            assert c.read()
        if s.reset is not None:
            break
        select.select([], [], [], STEP)


@pytest.mark.parametrize("what", [ask_in_two_parts, ask_without_end])
def test_response_that_is_not_taken_while_others_are_asked_for(make_edge, origin, what):
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"]'},
                     http="h2: {streams: 300}, timeout: {write: 400ms}")
    with Client(edge, settings={SettingCodes.INITIAL_WINDOW_SIZE: 1000}, greedy=False) as c:
        s = c.streams[c.ask("/bytes/100000")]
        c.until(lambda: len(s.body) == 1000)
        go_on(c, s, what)
        assert s.reset == ErrorCodes.CANCEL
    assert edge.settled()["edge_end_client_write_timeout_total"] == 1


def test_response_that_is_not_taken_while_one_is_held_back(scripted):
    """One flows, and one that is less urgent is not fetched meanwhile: that is looked at each turn."""
    over = threading.Event()

    def script(conn):
        head = read_head(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        if head.startswith(b"GET /flows "):
            while not over.wait(STEP):
                conn.sendall(b"1\r\nx\r\n")
            conn.sendall(b"0\r\n\r\n")
            return
        conn.sendall(b"10000\r\n" + bytes(65536) + b"\r\n0\r\n\r\n")

    edge = scripted(script, http="timeout: {write: 400ms}")
    with Client(edge, settings={SettingCodes.INITIAL_WINDOW_SIZE: 1000}) as c:
        c.greedy = False
        s = c.streams[c.ask("/stalls")]
        c.until(lambda: len(s.body) == 1000)
        c.ask("/flows", fields=[("priority", "u=0")])
        c.until(lambda: len(c.streams[3].body) > 1)
        c.ask("/held-back", fields=[("priority", "u=7")])
        c.until(lambda: s.reset is not None or len(c.streams[3].body) > 300)
        assert s.reset == ErrorCodes.CANCEL
        over.set()
        assert c.finish(3).ended


def is_goaway(f):
    return f.kind == GOAWAY


def in_two_parts(c, stream, path):
    block = c.block(request(path=path))
    return (frame(HEADERS, END_STREAM, stream, block[:3]),
            frame(CONTINUATION, END_HEADERS, stream, block[3:]))


def test_second_goaway_came_at_the_next_tick(make_edge, origin):
    """The client has a second to send what it had begun; but a tick may be far less."""
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"]'}, http="timeout: {body: 80ms}")
    with RawH2(edge) as c:
        c.send(c.get(1, path="/delay/3000"))
        edge.wait_counter("edge_requests_active", 1)
        began = time.monotonic()
        edge.send_signal(signal.SIGTERM)
        assert c.wait(is_goaway).last_stream() == 2**31 - 1
        # With its end the ticks begin anew.
        first, rest = in_two_parts(c, 3, "/bytes/1")
        c.send(first)
        select.select([c.socket], [], [], STEP)
        c.send(rest)
        assert c.response(3)[0] == 200
        second = c.wait(is_goaway)
        assert time.monotonic() - began >= 1
        assert second.last_stream() == 3 and second.code() == NO_ERROR
        assert c.response(1)[0] == 200


def test_head_that_was_begun_before_the_notice_had_a_second(make_edge, origin):
    """It was then refused as a flood, however long http.timeout.head was."""
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"]'}, http="timeout: {head: 20s}")
    with RawH2(edge) as c:
        first, rest = in_two_parts(c, 1, "/bytes/1")
        c.barrier()
        c.send(first)
        edge.send_signal(signal.SIGTERM)
        assert c.wait(is_goaway).last_stream() == 2**31 - 1
        while select.select([c.socket], [], [], 1.5)[0]:
            assert c.read().kind != GOAWAY
        c.send(rest)
        assert c.response(1)[0] == 200
        assert c.goaway() == NO_ERROR
