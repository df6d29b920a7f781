# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs that nobody reads, or that no disk takes: requests and queries go on, what is missing is
counted, what is written is whole lines, and SIGTERM ends the program. Each test is named after what
went wrong once."""

import contextlib
import fcntl
import json
import os
import subprocess
from pathlib import Path

import pytest

import perigee
from edge_fleet import HOST, Edge, Responses

# With a line of the access log each; not so long that it is cut.
PATH = "/.well-known/perigee/health?" + "x" * 900
AT_ONCE = 100


class Unread:
    """A pipe with a name: whoever has opened it for writing finds a reader that does not read."""

    def __init__(self, path):
        self.path = path
        if not path.exists():
            os.mkfifo(path)
        self.fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def fill(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(self.fd, b"." * 4096)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(self.fd, b".")

    def read(self):
        """What is in it, b"" if nothing is."""
        try:
            return os.read(self.fd, 1 << 20)
        except BlockingIOError:
            return b""

    def close(self):
        os.close(self.fd)


@pytest.fixture
def unread(tmp_path):
    pipe = Unread(tmp_path / "unread")
    yield pipe
    pipe.close()


def redirected(where):
    """The words before a command line that is to run with such redirections of the shell."""
    return ["sh", "-c", f'exec "$@" {where}', "sh"]


@pytest.fixture
def edge_with(processes, tmp_path, authority, certificate, origin):
    def make(access_log, **more):
        sites = {"www": ([HOST], [certificate], {"/": "app"})}
        origins = {"app": f'servers: ["{origin.address}"]'}
        edge = Edge(tmp_path, authority, sites, origins, access_log=access_log, **more)
        processes.append(edge)
        return edge

    return make


def requests(s, n):
    """n requests over one connection, some at a time."""
    r = Responses(s)
    for _ in range(0, n, AT_ONCE):
        s.sendall(f"GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode() * AT_ONCE)
        for _ in range(AT_ONCE):
            assert r.response()[0] == 200


def request_some(edge, n=AT_ONCE):
    with edge.connect() as s:
        requests(s, n)


def dropped(edge):
    return edge.counters()["edge_access_log_dropped_total"]


def request_until_dropped(edge):
    """How many it took."""
    n = 0
    with edge.connect() as s:
        while dropped(edge) == 0:
            requests(s, 10 * AT_ONCE)
            n += 10 * AT_ONCE
            assert n < 100000, "nothing was ever dropped"
    return n


def read_all(edge, unread, n):
    """Lines of the access log out of the pipe, until with those dropped there are n."""
    data = b""

    def all_there():
        nonlocal data
        data += unread.read()
        return data.endswith(b"\n") and data.count(b"\n") + dropped(edge) >= n

    perigee.wait_for(all_there, "what was not dropped to be read")
    return data.decode().splitlines()


def check_lines(lines):
    for line in lines:
        assert json.loads(line)["status"] == 200


def test_access_log_pipe_that_nobody_reads(edge_with, unread):
    """Workers stood still one after the other, and so did SIGTERM."""
    edge = edge_with("-", inside=redirected(f"> {unread.path}"), workers=2)
    n = request_until_dropped(edge)
    perigee.wait_for(lambda: "does not take lines as fast as they come" in edge.log(), "a warning")
    # Its reader comes to life again: all that is held comes, and then new lines do.
    check_lines(read_all(edge, unread, n))
    lost = dropped(edge)
    perigee.wait_for(lambda: f"takes lines again: {lost} were dropped" in edge.log(), "the count")
    request_some(edge)
    check_lines(read_all(edge, unread, AT_ONCE + lost))
    assert dropped(edge) == lost
    assert edge.stop() == 0


def test_access_log_pipe_that_nobody_reads_does_not_outlive_a_stop(edge_with, unread):
    edge = edge_with("-", inside=redirected(f"> {unread.path}"))
    request_some(edge, 10 * AT_ONCE)
    assert edge.stop() == 0
    assert "did not take the last" in edge.log()


def test_access_log_fifo_without_a_reader(edge_with, tmp_path):
    """The start waited for one."""
    fifo = tmp_path / "access.fifo"
    os.mkfifo(fifo)
    edge = edge_with(fifo)
    request_some(edge)
    perigee.wait_for(lambda: "nobody reads it" in edge.log(), "a word about it")
    with open(fifo) as reader:
        check_lines(reader.readline() for _ in range(AT_ONCE))
    # It has gone again: what comes now is kept for the next one, or counted.
    n = request_until_dropped(edge)
    reader = Unread(fifo)
    check_lines(read_all(edge, reader, n))
    assert edge.stop() == 0
    reader.close()


def test_access_log_fifo_without_a_reader_does_not_outlive_a_stop(edge_with, tmp_path):
    fifo = tmp_path / "access.fifo"
    os.mkfifo(fifo)
    edge = edge_with(fifo)
    request_some(edge)
    assert edge.stop() == 0


@pytest.mark.parametrize("path,message", [
    ("{dir}", "Is a directory"),
    ("{dir}/none/access.log", "No such file or directory"),
])
def test_access_log_that_cannot_be_opened(tmp_path, processes, edge_with, path, message):
    path = path.format(dir=tmp_path)
    with pytest.raises(AssertionError, match="ended while starting"):
        edge_with(path)
    log = (tmp_path / "fra1.log").read_text()
    assert f"access log: cannot open {path}: {message}" in log


def is_allowed_mounts():
    script = "mount -t tmpfs -o size=64k tmpfs /mnt"
    return subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True,
                          check=False).returncode == 0


def test_access_log_on_a_full_disk(edge_with, tmp_path):
    """The line that came next was glued to the one that the full disk had torn."""
    if not is_allowed_mounts():
        pytest.skip("no mount namespaces for this user: takes root")
    disk = tmp_path / "disk"
    disk.mkdir()
    edge = edge_with(disk / "access.log", inside=[
        "unshare", "-m", "sh", "-c",
        f"mount -t tmpfs -o size=64k tmpfs {disk} && head -c 50000 /dev/zero > {disk}/ballast &&"
        ' exec "$@"', "sh"])
    disk = Path(f"/proc/{edge.pid}/root{disk}")
    request_some(edge)
    perigee.wait_for(lambda: "No space left on device" in edge.log(), "the disk to be full")
    assert 0 < (disk / "access.log").stat().st_size < 20000
    request_some(edge)
    (disk / "ballast").unlink()
    # 200 lines do not fit all the same: what does is whole, but for the last.
    perigee.wait_for(lambda: (disk / "access.log").stat().st_size > 50000, "more to be written")
    lines = (disk / "access.log").read_text().splitlines()
    check_lines(lines[:-1])
    assert edge.stop() == 0


def test_standard_error_that_nobody_reads(edge_with, unread, tmp_path):
    """The control thread stood still with its next line, before it served or while it did."""
    unread.fill()
    edge = edge_with(tmp_path / "access.log", inside=redirected(f"2> {unread.path}"))
    for _ in range(3):
        request_some(edge)
        reloads = edge.counters()["edge_reloads_total"]
        edge.reload()
        edge.wait_counter("edge_reloads_total", reloads + 1)
    assert edge.stop() == 0


def test_standard_error_that_nobody_reads_of_the_responder(processes, unread, tmp_path):
    fleet = tmp_path / "dns.yaml"
    fleet.write_text("nameservers:\n  ns1: {listen: '127.0.0.1:0'}\n")
    unread.fill()
    daemon = perigee.Daemon(perigee.DNS, fleet, "ns1", tmp_path,
                            inside=redirected(f"2> {unread.path}"))
    processes.append(daemon)
    daemon.reload()
    assert daemon.status()["state"] == "serving"
    assert daemon.counters()["dns_log_dropped_total"] == 0
    assert daemon.stop() == 0


def test_standard_error_that_nobody_reads_at_a_start_that_fails(unread, tmp_path):
    """It stood still with the errors of its configuration, and SIGTERM did not end it."""
    fleet = tmp_path / "edge.yaml"
    fleet.write_text("edges: {fra1: {adresses: [127.0.0.1]}}\n")
    unread.fill()
    daemon = perigee.Daemon(perigee.EDGE, fleet, "fra1", tmp_path,
                            inside=redirected(f"2> {unread.path}"), wait=False)
    assert daemon.wait() == 1
    daemon.stop(expect=1)


def test_standard_error_that_is_read_again_has_all_lines(edge_with, unread, tmp_path):
    unread.fill()
    filled = fcntl.fcntl(unread.fd, fcntl.F_GETPIPE_SZ)
    edge = edge_with(tmp_path / "access.log", inside=redirected(f"2> {unread.path}"))
    data = b""

    def serving():
        nonlocal data
        data += unread.read()
        return b"info serving on" in data

    perigee.wait_for(serving, "the lines that were held")
    lines = data[filled:].decode().splitlines()
    assert all(line[:2] == "20" and "Z " in line for line in lines), lines
    assert edge.counters()["edge_log_dropped_total"] == 0
    assert edge.stop() == 0


def test_closed_standard_descriptors(edge_with, tmp_path):
    """The log went to whatever came to have number 2: a client, say."""
    edge = edge_with("-", inside=redirected("<&- >&- 2>&-"))
    for _ in range(3):
        request_some(edge)
    for fd in range(3):
        assert os.readlink(f"/proc/{edge.pid}/fd/{fd}") == "/dev/null"
    assert edge.stop() == 0
