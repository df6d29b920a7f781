# SPDX-License-Identifier: GPL-3.0-or-later
"""Private keys out of the edge: real handshakes by the signer, the edge's memory, a signer that
dies, hangs, or is gone for good, and keys that change."""

import os
import shutil
import signal
import subprocess

import pytest

import perigee
from edge_fleet import HOST, Edge
from key_search import found_in, is_stopped, memory_of, processes_of, secrets_of


@pytest.fixture
def pairs(tmp_path, authority):
    """Of both kinds, with the keys in files of this test alone."""
    made = []
    for kind in ("ecdsa", "rsa"):
        pair = authority.issue(f"signer-{kind}", [HOST], kind=kind)
        made.append(tuple(shutil.copy(path, tmp_path) for path in pair))
    return made


@pytest.fixture
def make(processes, tmp_path, authority, pairs, origin):
    """make(options of tls): an edge, and its requests are answered."""
    def make(tls, expect=0, **more):
        edge = Edge(tmp_path, authority, {"www": ([HOST], pairs, {"/": "app"})},
                    {"app": f'servers: ["127.0.0.1:{origin.port}"]'}, top=[f"tls: {{{tls}}}"],
                    **more)
        if expect == 0:
            processes.append(edge)
        return edge

    return make


@pytest.fixture
def edge(make):
    return make("keys: {place: signer}")


def keys(edge):
    return edge.status()["keys"]


def signer_of(edge):
    """Its process, once it has come to be called so."""
    return perigee.wait_for(lambda: processes_of(edge.pid).get("perigee-signer"), "a signer")


ALL_WAYS = [
    ("-tls1_3", "-sigalgs", "ecdsa_secp256r1_sha256"),
    ("-tls1_3", "-sigalgs", "rsa_pss_rsae_sha256"),
    ("-tls1_3", "-sigalgs", "rsa_pss_rsae_sha512", "-groups", "P-256"),
    ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"),
    ("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256", "-sigalgs", "RSA+SHA256"),
    ("-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384", "-groups", "P-384"),
]


def test_handshakes_of_every_kind_are_signed(edge):
    for n, way in enumerate(ALL_WAYS):
        assert "Verify return code: 0" in edge.shake_hands(*way)
        assert keys(edge)["signatures"] == n + 1
    assert edge.curl(edge.url("/")).returncode == 0
    counted = keys(edge)
    assert counted["place"] == "signer" and counted["started"] == 1
    assert counted["refused"] == counted["failed"] == counted["unanswered"] == 0


def test_signing_in_workers_without_threads_for_handshakes(make):
    edge = make("keys: {place: signer}, handshake_threads: 0", workers=2)
    for way in ALL_WAYS:
        edge.shake_hands(*way)
    assert keys(edge)["signatures"] == len(ALL_WAYS)


def all_secrets(pairs):
    return {f"{name} of {key}": secret for _, key in pairs
            for name, secret in secrets_of(key).items()}


def test_whoever_reads_the_edge_finds_no_key(edge, pairs, tmp_path):
    secrets = all_secrets(pairs)
    for way in ALL_WAYS:
        edge.shake_hands(*way)
    edge.reload()
    edge.wait_log("configuration")
    edge.shake_hands()
    edge.send_signal(signal.SIGSTOP)
    try:
        assert not found_in(memory_of(edge.pid), secrets)
        children = processes_of(edge.pid)
        signer = children.pop("perigee-signer")
        for child in children.values():
            assert not found_in(memory_of(child), secrets)
        # The same search finds them where they are.
        assert {f"d of {key}" for _, key in pairs} <= {
            name.replace("half of ", "").replace(", least first", "")
            for name in found_in(memory_of(signer), secrets)}
    finally:
        edge.send_signal(signal.SIGCONT)


@pytest.mark.skipif(shutil.which("gcore") is None, reason="gdb is not installed: no gcore")
def test_core_dump_of_the_edge_has_no_key(edge, pairs, tmp_path):
    if perigee.sanitized():
        pytest.skip("the core of a sanitizer is too large to be searched")
    secrets = all_secrets(pairs)
    for way in ALL_WAYS:
        edge.shake_hands(*way)
    subprocess.run(["gcore", "-a", "-o", tmp_path / "core", str(edge.pid)], check=True,
                   capture_output=True, timeout=120)
    core = (tmp_path / f"core.{edge.pid}").read_bytes()
    assert len(core) > 1 << 20
    assert not found_in([core], secrets)


def test_search_finds_keys_that_are_in_the_edge(make, pairs):
    edge = make("keys: {place: process}")
    for way in ALL_WAYS:
        edge.shake_hands(*way)
    assert found_in(memory_of(edge.pid), all_secrets(pairs))


def test_signer_leaves_no_core_and_nobody_may_look_into_it(edge):
    signer = signer_of(edge)
    limits = open(f"/proc/{signer}/limits", encoding="ascii").read()
    assert [line.split()[4:6] for line in limits.splitlines()
            if line.startswith("Max core file size")] == [["0", "0"]]
    # PR_SET_DUMPABLE 0: its files in /proc are root's, whoever it is.
    assert os.stat(f"/proc/{signer}/mem").st_uid == 0
    assert os.listdir(f"/proc/{signer}/fd"), "root looks"


def test_signer_that_is_killed_is_started_anew(edge):
    for n in range(3):
        edge.shake_hands()
        os.kill(signer_of(edge), signal.SIGKILL)
        edge.wait_log(f"(?s)(the signer was ended by signal 9.*){{{n + 1}}}")
        for way in ALL_WAYS:
            edge.shake_hands(*way)
    assert keys(edge)["started"] == 4
    assert keys(edge)["unanswered"] == 0


def test_signer_that_hangs_costs_one_handshake(edge):
    edge.shake_hands()
    signer = signer_of(edge)
    os.kill(signer, signal.SIGSTOP)
    perigee.wait_for(lambda: is_stopped(signer), "the signer to stop")
    assert edge.curl(edge.url("/"), check=False).returncode == 35
    edge.wait_log("the signer does not answer: it is ended")
    edge.shake_hands()
    counted = keys(edge)
    assert counted["started"] == 2 and counted["unanswered"] == 1


def test_without_a_keeper_the_edge_ends(make):
    edge = make("keys: {place: signer}", expect=1)
    edge.shake_hands()
    os.kill(processes_of(edge.pid)["signer-keeper"], signal.SIGKILL)
    edge.wait_log("the signer's keeper is gone")
    edge.stop(expect=1)


def test_nothing_is_left_of_an_edge_that_was_killed(make):
    edge = make("keys: {place: signer}", expect=1)
    left = processes_of(edge.pid)
    assert len(left) == 2
    edge.kill()
    perigee.wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in left.values()),
                     "the signer to end")


def test_edge_that_has_the_keys_itself_has_no_other_processes(make):
    edge = make("")
    perigee.wait_for(lambda: not processes_of(edge.pid), "the keeper to end")
    assert keys(edge) == {"place": "process"}


def test_reload_takes_changed_keys(edge, pairs, authority):
    before = edge.shake_hands("-tls1_3")
    for kind, pair in zip(("ecdsa", "rsa"), pairs):
        for path, new in zip(pair, authority.issue(f"renewed-{kind}", [HOST], kind=kind)):
            shutil.copy(new, path)
    edge.reload()
    perigee.wait_for(lambda: edge.shake_hands("-tls1_3") != before, "the other certificate")
    for way in ALL_WAYS:
        edge.shake_hands(*way)


def test_key_of_another_certificate_is_refused(edge, pairs, authority):
    shutil.copy(authority.issue("stranger", [HOST])[1], pairs[0][1])
    edge.reload()
    edge.wait_log(f"the key {pairs[0][1]} does not match the certificate {pairs[0][0]}")
    for way in ALL_WAYS:
        edge.shake_hands(*way)


def test_limit_of_signatures(make):
    edge = make("keys: {place: signer, rate: 3/d}")
    for _ in range(3):
        edge.shake_hands()
    assert edge.curl(edge.url("/"), check=False).returncode == 35
    edge.wait_log("the signer signs no more now")
    assert keys(edge)["limited"] == 1
