# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are loaded and are not what they should be: FIFOs and devices, and files that somebody
truncates or rewrites in place while they are in use. Each test is named after what went wrong."""

import os
import re
import socket
import subprocess
import threading

import pytest

import mmdb
import perigee
from dns_fleet import NEW_YORK, World, answer_data
from edge_fleet import HOST
from perigee import wait_for

A_FIFO = "is a FIFO, not a regular file"


@pytest.fixture
def world(tmp_path):
    w = World(tmp_path)
    yield w
    w.close()


def refused(daemon, words):
    """Reloads, and waits until that was refused in these words."""
    before = len(daemon.log())
    daemon.reload()
    wait_for(lambda: re.search(re.escape(words) + ".*configuration stays", daemon.log()[before:],
                               re.S), f"the refusal: {words}")


def expect_end(argv, *words):
    """A program that ends by itself, with code 1 and these words."""
    run = subprocess.run([*map(str, argv)], capture_output=True, text=True, timeout=perigee.PATIENCE)
    assert run.returncode == 1, run
    for w in words:
        assert w in run.stderr, run.stderr
    return run


class Rewriter:
    """Truncates a file in place and writes it again, over and over, until it is left."""

    def __init__(self, path):
        self.path = path
        self.content = path.read_bytes()
        self.enough = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        fd = os.open(self.path, os.O_RDWR)
        # It is whole for a moment, so that loading begins, and then it is not.
        while not self.enough.wait(0.01):
            os.ftruncate(fd, 0)
            os.pwrite(fd, self.content[: len(self.content) // 2], 0)
            os.pwrite(fd, self.content, 0)
        os.close(fd)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.enough.set()
        self.thread.join()


def reload_often(daemon, n):
    """n reloads, each to its end, whichever it is; how many were taken."""
    ends = re.compile(r"configuration stays|(?<!not )reloaded\b")
    for _ in range(n):
        before = len(ends.findall(daemon.log()))
        daemon.reload()
        wait_for(lambda: len(ends.findall(daemon.log())) > before or not daemon.running(),
                 "the end of a reload")
        assert daemon.running(), daemon.log()[-1000:]
    return len(re.findall(r"(?<!not )reloaded\b", daemon.log()))


@pytest.mark.parametrize("what", ["include", "certificate", "key", "ca"])
def test_a_fifo_hangs_the_edge(make_edge, tmp_path, authority, certificate, what):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    good = authority.certificate
    origins = {"app": f'servers: ["127.0.0.1:1"], tls: {{enabled: true, ca: {good}}}'}
    edge = make_edge(origins)
    text = edge.fleet.read_text()
    broken = {
        "include": text + f"include: {fifo}\n",
        "certificate": text.replace(str(certificate[0]), str(fifo)),
        "key": text.replace(str(certificate[1]), str(fifo)),
        "ca": text.replace(str(good), str(fifo)),
    }[what]
    assert broken != text
    edge.fleet.write_text(broken)
    refused(edge, A_FIFO)
    assert edge.curl(edge.url("/.well-known/perigee/health")).returncode == 0
    for args in (["--check"], []):
        run = expect_end([perigee.EDGE, "-c", edge.fleet, "-n", "fra1", *args], A_FIFO)
        assert re.search(r"perigee\.yaml:\d+:\d+: ", run.stderr)
    expect_end([perigee.CTL, "check", edge.fleet], A_FIFO)
    edge.fleet.write_text(text)
    edge.reload()
    edge.wait_counter("edge_reloads_total", 1)


@pytest.mark.parametrize("what", ["include", "zone", "zone include", "geo"])
def test_a_fifo_hangs_the_name_server(world, processes, what):
    fifo = world.directory / "fifo"
    os.mkfifo(fifo)
    daemon = world.start(processes)
    text = world.fleet.read_text()
    if what == "include":
        world.fleet.write_text(text + f"include: {fifo}\n")
    elif what == "zone":
        world.fleet.write_text(text.replace(str(world.zone), str(fifo)))
    elif what == "zone include":
        world.write_zone(2, "$INCLUDE fifo\n")
    else:
        world.write_fleet(geo=fifo)
    refused(daemon, A_FIFO)
    assert world.addresses_of("www.example.com", NEW_YORK) == ["127.0.0.12"]
    for args in (["--check"], []):
        expect_end([perigee.DNS, "-c", world.fleet, "-n", "ns1", *args], A_FIFO)
    expect_end([perigee.CTL, "check", world.fleet], A_FIFO)


def test_devices_folders_and_huge_files_are_read_without_end(world):
    huge = world.directory / "huge"
    huge.touch()
    os.truncate(huge, 1 << 42)
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(str(world.directory / "socket"))
    unix.close()
    text = world.fleet.read_text()
    for path, words in (
        ("/dev/zero", "is a device, not a regular file"),
        (world.directory, "is a folder, not a regular file"),
        (world.directory / "socket", "is a socket, not a regular file"),
        (world.directory / "nowhere", "cannot be read: No such file or directory"),
        (huge, "is larger than "),
    ):
        world.fleet.write_text(text + f"include: {path}\n")
        for program in ([perigee.CTL, "check"], [perigee.DNS, "--check", "-n", "ns1", "-c"]):
            expect_end([*program, world.fleet], words)
        world.fleet.write_text(text.replace(str(world.zone), str(path)))
        for program in ([perigee.CTL, "check"], [perigee.DNS, "--check", "-n", "ns1", "-c"]):
            expect_end([*program, world.fleet], words)
        world.write_fleet(geo=path)
        for program in ([perigee.CTL, "check"], [perigee.DNS, "--check", "-n", "ns1", "-c"]):
            expect_end([*program, world.fleet], words)


def large_database():
    """Large enough to be read for a while; Frankfurt and New York take turns."""
    return mmdb.build(19, [(50.11, 8.68), (40.71, -74.01)])


def test_a_geo_database_truncated_while_it_is_in_use_ends_the_process(world, processes):
    database = world.directory / "city.mmdb"
    content = large_database()
    database.write_bytes(content)
    world.write_fleet(geo=database)
    daemon = world.start(processes)
    near = world.addresses_of("www.example.com", "10.0.0.0/17")
    assert near in (["127.0.0.11"], ["127.0.0.12"])

    def steered():
        assert world.addresses_of("www.example.com", "10.0.0.0/17") == near
        told = perigee.control(daemon.control_path, "explain www.example.com A 10.0.0.0/17")
        assert told["answer"], told

    with Rewriter(database):
        for _ in range(200):
            steered()
    os.truncate(database, 0)
    steered()
    refused(daemon, f"geo database {database} is empty")
    steered()
    database.write_bytes(b"\xff" * len(content))
    steered()
    database.write_bytes(content)
    assert reload_often(daemon, 1) == 1
    steered()


def test_a_geo_database_rewritten_while_it_is_loaded_ends_the_process(world, processes):
    database = world.directory / "city.mmdb"
    database.write_bytes(large_database())
    world.write_fleet(geo=database)
    daemon = world.start(processes)
    with Rewriter(database):
        reload_often(daemon, 30)
    assert answer_data(world.ask("www.example.com"))
    taken = reload_often(daemon, 0)
    assert reload_often(daemon, 1) == taken + 1


def test_a_zone_rewritten_while_it_is_loaded_ends_the_process(world, processes):
    world.write_zone(1, "".join(f"n{i} A 192.0.2.1\n" for i in range(50000)))
    daemon = world.start(processes)
    with Rewriter(world.zone):
        reload_often(daemon, 10)
    assert answer_data(world.ask("n7.example.com")) == ["192.0.2.1"]
    taken = reload_often(daemon, 0)
    assert reload_often(daemon, 1) == taken + 1


def test_a_configuration_truncated_while_it_is_loaded(make_edge):
    edge = make_edge({"app": 'servers: ["127.0.0.1:1"], health: {enabled: false}'})
    with Rewriter(edge.fleet):
        reload_often(edge, 30)
    assert edge.curl(edge.url("/.well-known/perigee/health")).returncode == 0
    text = edge.fleet.read_text()
    os.truncate(edge.fleet, 0)
    refused(edge, "nothing is configured")
    edge.fleet.write_text(text)
    taken = edge.counters()["edge_reloads_total"]
    edge.reload()
    edge.wait_counter("edge_reloads_total", taken + 1)
    assert edge.curl(edge.url("/.well-known/perigee/health"), host=HOST).returncode == 0
