# SPDX-License-Identifier: GPL-3.0-or-later
"""Origins by name, and what can be wrong with how names are looked up. The edge has an /etc of its
own, and real name servers at port 53 of addresses that nobody else has. Each test is named after
what went wrong once."""

import os
import signal

import pytest

import perigee
import private_etc
from edge_fleet import read_head
from name_server import NameServer

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
NAME = "origin.perigee.test"


@pytest.fixture
def etc(tmp_path):
    if not private_etc.is_allowed():
        pytest.skip("needs to make mount namespaces and name servers: run as root")
    return private_etc.PrivateEtc(tmp_path / "etc")


@pytest.fixture
def name_server():
    """name_server(names): one at an address of its own."""
    started = []

    def make(names, **more):
        started.append(NameServer(names, **more))
        return started[-1]

    yield make
    for server in started:
        server.close()


@pytest.fixture
def edge_of(make_edge, scripted_origin, etc):
    """edge_of(): an edge in that /etc, whose one origin is asked for by name."""
    def script(conn):
        while read_head(conn):
            conn.sendall(OK)

    def make(more="health: {enabled: false}"):
        port = scripted_origin(script).port
        return make_edge({"app": f"servers: ['{NAME}:{port}'], {more}, timeout: {{connect: 2s}}"},
                         inside=etc.inside)

    return make


def status_of(edge):
    return edge.curl("-o", "/dev/null", "-w", "%{http_code}", edge.url("/"), check=False).stdout


def wait_until_served(edge):
    # Two looks at the file and a look-up; and as much again for a slow machine.
    perigee.wait_for(lambda: status_of(edge) == "200", "the origin to be found", 10)


def absent(etc):
    pass


def empty(etc):
    etc.write("resolv.conf", "")


def wrong(etc):
    etc.write("resolv.conf", "nameserver 127.255.0.1\n")


def silent(etc):
    etc.write("resolv.conf", "nameserver 192.0.2.53\n")


def dangling(etc):
    (etc.path / "resolv.conf").symlink_to("/run/nowhere/resolv.conf")


def folder(etc):
    (etc.path / "resolv.conf").mkdir()


def pipe(etc):
    os.mkfifo(etc.path / "resolv.conf")


@pytest.mark.parametrize("is_wrong", [absent, empty, wrong, silent, dangling, folder, pipe])
def test_resolv_conf_wrong_at_start_stayed_so(etc, edge_of, name_server, is_wrong):
    """502 until the program was started again; or, of a pipe, not even a start."""
    server = name_server({NAME: ["127.0.0.1"]})
    is_wrong(etc)
    edge = edge_of()
    assert status_of(edge) == "502"
    if is_wrong is folder:
        (etc.path / "resolv.conf").rmdir()
    etc.write("resolv.conf", f"nameserver {server.address}\n")
    wait_until_served(edge)


def test_link_into_run_is_turned(etc, edge_of, name_server, tmp_path):
    """As resolvconf and systemd-resolved do it: the file itself is never touched."""
    server = name_server({NAME: ["127.0.0.1"]})
    for name, address in (("old", "127.255.0.1"), ("new", server.address)):
        (tmp_path / name).write_text(f"nameserver {address}\n")
    (etc.path / "resolv.conf").symlink_to(tmp_path / "old")
    edge = edge_of()
    assert status_of(edge) == "502"
    (etc.path / "turned").symlink_to(tmp_path / "new")
    (etc.path / "turned").rename(etc.path / "resolv.conf")
    wait_until_served(edge)


def test_name_comes_into_the_hosts_file(etc, edge_of, name_server):
    """Is seen at once too, and not when the next look-up is due."""
    server = name_server({})
    etc.write("resolv.conf", f"nameserver {server.address}\n")
    edge = edge_of()
    assert status_of(edge) == "502"
    etc.write("hosts", f"127.0.0.1 {NAME}\n")
    wait_until_served(edge)


def test_reload_did_not_ask_anew(etc, edge_of, name_server):
    """What the operator has mended in a zone is seen at once."""
    server = name_server({NAME: ["127.0.0.9"]}, ttl=300)
    etc.write("resolv.conf", f"nameserver {server.address}\n")
    edge = edge_of()
    assert status_of(edge) == "502"
    server.names[NAME] = ["127.0.0.1"]
    os.kill(edge.pid, signal.SIGHUP)
    wait_until_served(edge)


def test_answer_that_is_cut(etc, edge_of, name_server):
    """Hundreds of addresses come by TCP; some of them are used, and always the same."""
    server = name_server({NAME: [f"127.0.{i}.{k}" for i in range(4) for k in range(1, 250)]},
                         truncates=True)
    etc.write("resolv.conf", f"nameserver {server.address}\n")
    edge = edge_of()

    def addresses():
        found, = edge.status()["origins"]["app"]["servers"]
        return [a["address"] for a in found["addresses"]]

    first = addresses()
    assert len(first) == 16 and server.over_tcp >= 1
    server.names[NAME].reverse()
    asked = server.over_tcp
    perigee.wait_for(lambda: server.over_tcp >= asked + 2, "the next look-up")
    assert addresses() == first


@pytest.mark.parametrize("lie", [["0.0.0.0"], ["255.255.255.255"], ["224.0.0.1"], ["::"], []])
def test_address_of_nobody_was_asked(etc, edge_of, name_server, lie):
    """Linux takes 0.0.0.0 for this very machine."""
    server = name_server({NAME: lie})
    etc.write("resolv.conf", f"nameserver {server.address}\n")
    edge = edge_of()
    assert status_of(edge) == "502"
    assert edge.counters()["olink_connects_total"] == 0
    server.names[NAME] = lie + ["127.0.0.1"]
    wait_until_served(edge)
