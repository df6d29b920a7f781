# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: content that goes on for long, by HTTP/1.1 and HTTP/2: nothing is kept back, memory
stays flat, and each side learns when the other has gone."""

import subprocess
import threading

import pytest

import perigee
from edge_fleet import HOST, read_head

# With a sanitizer less does: it takes ten times as long.
GIB = 1 << 26 if perigee.sanitized() else 1 << 30
# Of the process, for one transfer: what is on its way in both directions (512 KiB each), what TLS
# and the kernel's side of the queues hold, and what an allocator does not give back.
GROWTH_MAX = 16 << 20

versions = pytest.mark.parametrize("version", ["--http1.1", "--http2"])


def start_curl(edge, version, *args):
    return subprocess.Popen(
        ["curl", "-q", "-sS", "-N", "--max-time", "120", version, "--cacert",
         str(edge.authority.certificate), "--resolve", f"{HOST}:{edge.port}:127.0.0.1",
         *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def to_the_end(conn):
    """Whether it ended in order, or was broken off."""
    try:
        while conn.recv(65536):
            pass
    except ConnectionError:
        pass


# Server-sent events


@versions
def test_each_event_comes_at_once(scripted, version):
    """The next one is sent when the last one has arrived."""
    arrived = threading.Semaphore(1)

    def script(conn):
        read_head(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                     b"Transfer-Encoding: chunked\r\n\r\n")
        for i in range(50):
            assert arrived.acquire(timeout=perigee.PATIENCE)
            event = b"data: %d\n\n" % i
            conn.sendall(b"%x\r\n%b\r\n" % (len(event), event))
        assert arrived.acquire(timeout=perigee.PATIENCE)
        conn.sendall(b"0\r\n\r\n")

    edge = scripted(script)
    curl = start_curl(edge, version, edge.url("/"))
    for i in range(50):
        assert curl.stdout.readline() == b"data: %d\n" % i
        assert curl.stdout.readline() == b"\n"
        arrived.release()
    assert curl.communicate(timeout=perigee.PATIENCE)[0] == b"" and curl.returncode == 0


# Large ones


def flat(edge, work):
    """Does it, and says how much the edge has grown at most."""
    before = edge.resident_bytes()
    most = before
    done = threading.Thread(target=work)
    done.start()
    while done.is_alive():
        most = max(most, edge.resident_bytes())
        done.join(0.05)
    return most - before


def download(conn):
    data = read_head(conn)
    if not data:
        return
    piece = b"x" * (1 << 20)
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % GIB)
    for _ in range(GIB >> 20):
        conn.sendall(piece)


@versions
def test_a_gibibyte_down_at_flat_memory(scripted, version):
    edge = scripted(download)
    edge.curl("-o", "/dev/null", "-r", "0-0", "--max-filesize", "1", edge.url("/"), check=False)
    size = []

    def work():
        curl = start_curl(edge, version, "-o", "/dev/null", "-w", "%{size_download}",
                          edge.url("/"))
        size.append(int(curl.communicate()[0]))

    grown = flat(edge, work)
    assert size == [GIB]
    assert perigee.sanitized() or grown < GROWTH_MAX


@versions
def test_a_gibibyte_up_at_flat_memory(scripted, version, tmp_path):
    """A file of holes: nothing is on the disk."""
    came = []

    def script(conn):
        data = read_head(conn)
        n = len(data) - data.index(b"\r\n\r\n") - 4
        while n < GIB:
            chunk = conn.recv(1 << 20)
            if not chunk:
                break
            n += len(chunk)
        came.append(n)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    edge = scripted(script)
    with open(tmp_path / "file", "wb") as f:
        f.truncate(GIB)
    got = []

    def work():
        curl = start_curl(edge, version, "-T", tmp_path / "file", edge.url("/"))
        got.append(curl.communicate()[0])

    grown = flat(edge, work)
    assert got == [b"ok"] and came == [GIB]
    assert perigee.sanitized() or grown < GROWTH_MAX


# Who goes


@versions
@pytest.mark.parametrize("when", ["before the head", "in the content"])
def test_client_that_goes_takes_its_request_with_it(scripted, version, when):
    asked, left = threading.Event(), threading.Event()

    def script(conn):
        read_head(conn)
        if when == "in the content":
            conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
        asked.set()
        to_the_end(conn)
        left.set()

    edge = scripted(script)
    curl = start_curl(edge, version, edge.url("/"))
    assert asked.wait(perigee.PATIENCE)
    if when == "in the content":
        assert curl.stdout.read(1) == b"x"
    curl.kill()
    curl.communicate()
    assert left.wait(perigee.PATIENCE), "the origin works for nobody"
    edge.wait_counter("edge_requests_active", 0)


@versions
def test_client_that_goes_in_its_upload(scripted, version, tmp_path):
    began, ended = threading.Event(), []

    def script(conn):
        data = read_head(conn)
        began.set()
        try:
            while chunk := conn.recv(65536):
                data += chunk
        except ConnectionError:
            pass
        ended.append(data.endswith(b"0\r\n\r\n"))

    edge = scripted(script)
    curl = subprocess.Popen(
        ["curl", "-q", "-sS", version, "--cacert", str(edge.authority.certificate), "--resolve",
         f"{HOST}:{edge.port}:127.0.0.1", "-T", "-", edge.url("/")], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    curl.stdin.write(b"some")
    curl.stdin.flush()
    assert began.wait(perigee.PATIENCE)
    curl.kill()
    curl.communicate()
    perigee.wait_for(lambda: ended, "the origin to see an end")
    assert ended == [False], "what has come was taken for all of it"


@versions
@pytest.mark.parametrize("framing", ["Content-Length: 100", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("content", [b"", b"5\r\nhello\r\n"])
def test_origin_that_goes_in_the_middle_is_told(scripted, version, framing, content):
    """curl: 18 is a content that is cut, 92 a stream that was reset, 56 a connection that broke."""
    def script(conn):
        read_head(conn)
        conn.sendall(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode() + content)

    edge = scripted(script)
    curl = start_curl(edge, version, edge.url("/"))
    curl.communicate(timeout=perigee.PATIENCE)
    assert curl.returncode in ((92,) if version == "--http2" else (18, 56))
    assert edge.settled()["edge_end_origin_truncated_total"] == 1


@versions
def test_origin_that_closes_to_end_its_content(scripted, version):
    """That is an end in order, the only one that it has."""
    def script(conn):
        read_head(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello")

    edge = scripted(script)
    curl = start_curl(edge, version, edge.url("/"))
    assert curl.communicate(timeout=perigee.PATIENCE)[0] == b"hello" and curl.returncode == 0


def test_one_stream_that_breaks_leaves_the_others(scripted):
    """By HTTP/2 they share a connection."""
    def script(conn):
        while head := read_head(conn):
            if b"/cut" in head.split(b"\r\n")[0]:
                conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
                return
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    edge = scripted(script)
    curl = start_curl(edge, "--http2", edge.url("/cut"), edge.url("/a"), edge.url("/b"))
    assert curl.communicate(timeout=perigee.PATIENCE)[0].endswith(b"okok")
    c = edge.settled()
    assert c["edge_h2_connections_total"] == 1 and c["edge_end_done_total"] == 2
