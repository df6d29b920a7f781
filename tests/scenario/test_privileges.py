# SPDX-License-Identifier: GPL-3.0-or-later
"""Daemons that root has started give up its rights: whom they become, what they may do then, what
goes on working, and what they say of the rest. For root only."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

import pytest

import perigee
import private_etc
from edge_fleet import HOST, Edge
from key_search import processes_of

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root may become another user")

USER = "nobody"


@pytest.fixture
def open_path(open_path):
    nobody = pwd.getpwnam(USER)
    os.chown(open_path, nobody.pw_uid, nobody.pw_gid)
    return open_path


@pytest.fixture
def make(open_path, processes, authority, certificate, origin):
    def make(tls="", key_mode=0o600, user=USER, **more):
        pair = [shutil.copy(path, open_path) for path in certificate]
        os.chmod(pair[0], 0o644)
        os.chmod(pair[1], key_mode)
        edge = Edge(open_path, authority, {"www": ([HOST], [pair], {"/": "app"})},
                    {"app": f'servers: ["127.0.0.1:{origin.port}"]'},
                    top=[f"tls: {{{tls}}}", f"user: {user}"], workers=2, **more)
        processes.append(edge)
        return edge

    return make


def rights_of(pid):
    """Of all its threads: user, groups, capabilities."""
    found = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        fields = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines()
                      if ":\t" in line)
        found.add((fields["Uid"], fields["Gid"], fields["Groups"].strip(), fields["CapPrm"],
                   fields["CapEff"], fields["CapAmb"], fields["NoNewPrivs"]))
    return found


def expected_rights():
    nobody = pwd.getpwnam(USER)
    groups = " ".join(str(g) for g in sorted(os.getgrouplist(USER, nobody.pw_gid)))
    none = "0" * 16
    return {("\t".join([str(nobody.pw_uid)] * 4), "\t".join([str(nobody.pw_gid)] * 4), groups,
             none, none, none, "1")}


def test_edge_becomes_the_user_with_all_its_threads(make):
    edge = make("keys: {place: signer}")
    assert rights_of(edge.pid) == expected_rights()
    assert edge.curl(edge.url("/")).returncode == 0
    rights_of_signer = rights_of(processes_of(edge.pid)["perigee-signer"])
    assert {rights[0] for rights in rights_of_signer} == {"0\t0\t0\t0"}
    assert {rights[-1] for rights in rights_of_signer} == {"1"}
    assert "can be read by the edge itself" not in edge.log()


def test_user_may_neither_read_the_key_nor_look_into_the_signer(make):
    edge = make("keys: {place: signer}")
    signer = processes_of(edge.pid)["perigee-signer"]
    as_user = ["setpriv", f"--reuid={USER}", "--clear-groups", "--no-new-privs"]
    for path in (edge.directory / "www.key", f"/proc/{signer}/mem", f"/proc/{signer}/environ",
                 f"/proc/{signer}/maps"):
        run = subprocess.run([*as_user, "cat", path], capture_output=True, text=True, check=False)
        assert run.returncode != 0 and "Permission denied" in run.stderr, path
    run = subprocess.run([*as_user, "kill", "-KILL", str(signer)], capture_output=True, check=False)
    assert run.returncode != 0


def test_reload_and_log_rotation_work_as_the_user(make, authority, certificate):
    edge = make("keys: {place: signer}")
    edge.curl(edge.url("/"))
    for path, new in zip(("www.pem", "www.key"), authority.issue("renewed-www", [HOST])):
        # In place: owner and mode stay.
        (edge.directory / path).write_bytes(Path(new).read_bytes())
    edge.reload()
    perigee.wait_for(lambda: edge.counters()["edge_reloads_total"] >= 1, "a reload")
    edge.curl(edge.url("/"))
    edge.access_log(2)
    edge.access_log_path.rename(edge.directory / "access.log.1")
    edge.send_signal(10)
    perigee.wait_for(edge.access_log_path.exists, "another access log")
    edge.curl(edge.url("/"))
    edge.access_log(1)


def test_key_that_the_edge_can_read_is_told(make):
    edge = make("keys: {place: signer}", key_mode=0o644)
    edge.wait_log("www.key can be read by the edge itself: the signer protects nothing there")


def test_key_that_a_reload_could_not_read_is_told(make):
    edge = make("keys: {place: process}")
    edge.wait_log("www.key cannot be read any more: a reload will fail")
    assert edge.curl(edge.url("/")).returncode == 0


def test_unknown_user_is_an_error(make):
    with pytest.raises(AssertionError, match="cannot become the user nobody-at-all: there is none"):
        make(user="nobody-at-all")


def test_who_is_not_root_cannot_become_another(make, open_path):
    with pytest.raises(AssertionError, match="cannot become the user daemon: its groups"):
        make(user="daemon", key_mode=0o644,
             inside=["setpriv", f"--reuid={USER}", "--clear-groups"])


def test_name_server_becomes_the_user(open_path, processes):
    fleet = open_path / "dns.yaml"
    zone = open_path / "example.com.zone"
    zone.write_text("@ 60 SOA ns1 hostmaster 1 7200 900 1209600 60\n@ 60 NS ns1\nns1 60 A 192.0.2.1\n")
    fleet.write_text(f"""
user: {USER}
nameservers:
  ns1: {{listen: ["127.0.0.1:0"], state: {open_path}/state}}
zones:
  example.com: {{file: {zone}}}
""")
    server = perigee.Daemon(perigee.DNS, fleet, "ns1", open_path)
    processes.append(server)
    assert rights_of(server.pid) == expected_rights()
    server.reload()
    server.wait_log("configuration")


def test_fault_user_whose_group_is_root(make, open_path):
    """As images of containers have one. The user database is this process's own."""
    if not private_etc.is_allowed():
        pytest.skip("takes mount namespaces")
    os.chown(open_path, 4711, 0)
    users = open_path / "passwd"
    users.write_text(Path("/etc/passwd").read_text() + "perigee-test:x:4711:0::/:/bin/false\n")
    edge = make(user="perigee-test", key_mode=0o644, inside=[
        "unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/passwd && exec "$@"', str(users)])
    assert {(uid, gid) for uid, gid, *_ in rights_of(edge.pid)} == {
        ("\t".join(["4711"] * 4), "\t".join(["0"] * 4))}
