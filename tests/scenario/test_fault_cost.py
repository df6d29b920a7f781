# SPDX-License-Identifier: GPL-3.0-or-later
"""What little a stranger has to do to cost much: tiny pieces, and long transfers beside short ones.
Each test is named after what went wrong once."""

import socket
import statistics
import struct
import threading
import time

import pytest

import perigee
from edge_fleet import HOST, Responses, read_head

# What each chunk takes on the wire: 6 bytes for one.
CHUNKS = 1000 * 1000
TINY = b"1\r\nx\r\n" * CHUNKS + b"0\r\n\r\n"
LARGE = (b"F4240\r\n" + b"x" * 1000000 + b"\r\n") * 60 + b"0\r\n\r\n"
# So much more than LARGE, which is ten times the bytes, TINY may take: it was 30 to 60 times. And
# some ticks of the clock, since LARGE takes a few of them.
TIMES_LARGE, TICKS = 10, 0.1


def tcp_received(s):
    """(bytes, segments with data) so far, by the kernel's account: tcp_info in linux/tcp.h."""
    info = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return struct.unpack_from("Q", info, 128)[0], struct.unpack_from("I", info, 152)[0]


@pytest.fixture
def chunking(scripted):
    """An edge before an origin that sends and takes content in chunks; .segments: how the last
    upload arrived."""
    def read_content(conn, first):
        tail = first
        while not tail.endswith(b"\r\n0\r\n\r\n"):
            data = conn.recv(1 << 20)
            if not data:
                return False
            tail = tail[-8:] + data
        return True

    def script(conn):
        while head := read_head(conn):
            if head.startswith(b"POST"):
                before = tcp_received(conn)[1]
                if not read_content(conn, head.partition(b"\r\n\r\n")[2]):
                    return
                edge.segments = tcp_received(conn)[1] - before
                conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            else:
                conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                             + (TINY if b"/tiny" in head else LARGE))

    edge = scripted(script)
    return edge


def visited_beside(edge, work):
    """Runs the work; what it returned, its CPU time at the edge, and how often somebody else was
    served meanwhile."""
    served, over = [], threading.Event()

    def bystander():
        with edge.connect() as s:
            r = Responses(s)
            while not over.is_set():
                s.sendall(f"GET /.well-known/perigee/health HTTP/1.1\r\nHost: {HOST}\r\n\r\n"
                          .encode())
                served.append(r.response()[0])
                over.wait(0.02)

    thread = threading.Thread(target=bystander)
    thread.start()
    before = edge.cpu_seconds()
    try:
        result = work()
    finally:
        over.set()
        thread.join()
    assert set(served) == {200}
    return result, edge.cpu_seconds() - before


def test_response_in_tiny_chunks(chunking):
    """Each chunk became a TLS record and a system call of its own: 2.4 s for a megabyte."""
    def download(path):
        return chunking.curl("-o", "/dev/null", "-w", "%{size_download}", chunking.url(path)).stdout

    size, large = visited_beside(chunking, lambda: download("/large"))
    assert size == "60000000"
    size, tiny = visited_beside(chunking, lambda: download("/tiny"))
    assert size == str(CHUNKS)
    assert perigee.sanitized() or tiny < TIMES_LARGE * large + TICKS, (tiny, large)

    with chunking.connect() as s:
        s.sendall(f"GET /tiny HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        while s.recv(1 << 20):
            pass
        # A record has 22 bytes beside its content.
        assert tcp_received(s)[0] < 8 * 1000 * 1000


def test_request_in_tiny_chunks(chunking):
    """The same on the way to the origin: 6 s for a megabyte."""
    def upload(content):
        with chunking.connect() as s:
            s.sendall(f"POST / HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n"
                      .encode())
            s.sendall(content)
            return Responses(s).response()[0]

    status, large = visited_beside(chunking, lambda: upload(LARGE))
    assert status == 200
    status, tiny = visited_beside(chunking, lambda: upload(TINY))
    assert status == 200
    assert perigee.sanitized() or tiny < TIMES_LARGE * large + TICKS, (tiny, large)
    # 6 MB; they were 130,000.
    assert chunking.segments < 10000


def test_bulk_downloads_hold_up_small_requests(make_edge, origin, busy_clients):
    """Every download took 256 KiB in every turn, however many there were."""
    clients, requests = 256, 30
    if not perigee.allow_open_files(4000):
        pytest.skip("needs 4,000 open files: raise the hard limit (ulimit -Hn)")
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"], health: {{enabled: false}}'})
    busy_clients(edge, clients, f"GET /bytes/20000000 HTTP/1.1\r\nHost: {HOST}\r\n\r\n", 50, "once")

    def sent():
        return edge.counters()["edge_client_bytes_sent_total"]

    # At full speed: all have their windows open.
    perigee.wait_for(lambda: sent() > clients * 400 * 1000, "bytes to flow")
    flowed = []
    end = time.monotonic() + perigee.PATIENCE
    with edge.connect() as s:
        r = Responses(s)
        while len(flowed) < requests and time.monotonic() < end:
            before = sent()
            s.sendall(f"GET /.well-known/perigee/health HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            assert r.response()[0] == 200
            meanwhile = sent() - before
            if meanwhile > 0:
                flowed.append(meanwhile)
    # In bytes of the others, so that it says the same on a slow machine: they were 70 to 130 MB. A
    # record for each in a turn is 4 MB.
    assert len(flowed) > 5 and statistics.median(flowed) < 30 * 1000 * 1000
