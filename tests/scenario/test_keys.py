# SPDX-License-Identifier: GPL-3.0-or-later
"""Private keys on another machine: edges without any, perigee-keys that is away, hangs, comes back
or has stand-ins, and what each edge may have signed."""

import os
import shutil
import signal
import socket
import ssl
import subprocess

import pytest

import perigee
from edge_fleet import HOST
from key_search import found_in, is_stopped, memory_of, processes_of, secrets_of
from keys_fleet import (FIND, LIMITED, OK, PING, REFUSED, SIGN_BY_ID, UNKNOWN, Keys, KeysFleet,
                        certificate_verify, key_id, receive, request)

ECDSA_SHA256 = 0x0403
ALL_WAYS = [
    ("-tls1_3", "-sigalgs", "ecdsa_secp256r1_sha256"),
    ("-tls1_3", "-sigalgs", "rsa_pss_rsae_sha256"),
    ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"),
    ("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256", "-sigalgs", "RSA+SHA256"),
]


@pytest.fixture
def fleet(tmp_path, authority, origin):
    return KeysFleet(tmp_path, authority, origin.port)


@pytest.fixture
def start(processes, fleet):
    """start(...): a perigee-keys."""
    def start(name="keys1", port=0):
        keys = Keys(fleet, name, port)
        processes.append(keys)
        return keys

    return start


@pytest.fixture
def make(processes, fleet):
    """make(perigee-keys..., more): an edge that asks them."""
    def make(*servers, **more):
        edge = fleet.make_edge(*servers, **more)
        processes.append(edge)
        return edge

    return make


def counted(edge):
    return edge.status()["keys"]


def fails(edge, *args):
    """Whether a full handshake fails by the alert of an edge that has no signature for it."""
    run = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{edge.port}", "-servername",
                          HOST, *args], input="", capture_output=True, text=True,
                         timeout=perigee.PATIENCE, check=False)
    return run.returncode != 0 and "alert internal error" in run.stderr


def certificate_of(shown):
    return shown.partition("-----BEGIN CERTIFICATE-----")[2].partition("-----END")[0]


def connect(fleet, keys, one=None):
    s = socket.create_connection(("127.0.0.1", keys.port), timeout=perigee.PATIENCE)
    return fleet.context(one or fleet.edge).wrap_socket(s, server_hostname="127.0.0.1")


def ask(s, *args, **more):
    s.sendall(request(*args, **more))
    return receive(s)


def test_handshakes_of_every_kind_without_a_key(fleet, start, make):
    keys = start()
    edge = make(keys)
    for n, way in enumerate(ALL_WAYS):
        assert "Verify return code: 0" in edge.shake_hands(*way)
        assert counted(edge)["signatures"] == n + 1
    assert edge.curl(edge.url("/")).returncode == 0
    mine = counted(edge)
    assert mine["place"] == "remote" and mine["servers"] == "answering" and mine["started"] == 1
    assert mine["refused"] == mine["failed"] == mine["unanswered"] == mine["away"] == 0
    assert keys.edges()["fra1"]["signatures"] == len(ALL_WAYS) + 1
    assert keys.edges()["nyc1"]["signatures"] == 0
    assert keys.status()["keys"] == 2


def test_signing_in_workers_without_threads_for_handshakes(start, make):
    edge = make(start(), tls="handshake_threads: 0")
    for way in ALL_WAYS:
        edge.shake_hands(*way)


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_sessions_are_resumed_without_keys(start, make, tmp_path, version):
    keys = start()
    edge = make(keys)
    session = tmp_path / "session"
    # A ticket of TLS 1.3 comes after the handshake.
    subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{edge.port}", "-servername", HOST,
                    version, "-sess_out", session, "-ign_eof"],
                   input=f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n", text=True,
                   capture_output=True, timeout=perigee.PATIENCE, check=True)
    signatures = counted(edge)["signatures"]
    keys.kill()
    assert fails(edge, version)
    assert "Reused" in edge.shake_hands(version, "-sess_in", session)
    assert counted(edge)["signatures"] == signatures
    assert counted(edge)["servers"] == "away" and counted(edge)["away"] > 0
    edge.wait_log("the server of keys 127.0.0.1:.* does not answer")
    start(port=keys.port)
    edge.wait_log("the server of keys 127.0.0.1:.* answers")
    perigee.wait_for(lambda: not fails(edge, version), "full handshakes")
    assert counted(edge)["servers"] == "answering"
    assert counted(edge)["started"] == 1


def test_restart_costs_no_handshake(start, make):
    """Connections that are kept have died; that says nothing of the server that is there now."""
    keys = start()
    edge = make(keys)
    edge.shake_hands()
    keys.stop()
    again = start(port=keys.port)
    edge.shake_hands()
    assert counted(edge)["away"] == 0
    assert again.edges()["fra1"]["signatures"] == 1


def test_edge_starts_without_keys(start, make):
    keys = start()
    keys.stop()
    edge = make(keys)
    edge.wait_log("the key of .* could not be asked for: no server of keys answers")
    assert fails(edge)
    start(port=keys.port)
    perigee.wait_for(lambda: not fails(edge), "full handshakes")
    for way in ALL_WAYS:
        edge.shake_hands(*way)


def test_server_that_hangs_is_waited_for_once(start, make):
    keys = start()
    edge = make(keys)
    edge.shake_hands()
    os.kill(keys.pid, signal.SIGSTOP)
    perigee.wait_for(lambda: is_stopped(keys.pid), "it to stop")
    try:
        assert fails(edge)
        edge.wait_log("does not answer: The operation timed out")
        assert fails(edge)
    finally:
        os.kill(keys.pid, signal.SIGCONT)
    perigee.wait_for(lambda: not fails(edge), "full handshakes")
    assert counted(edge)["started"] == 1 and counted(edge)["unanswered"] == 0


def test_another_server_stands_in(start, make):
    first, second = start("keys1"), start("keys2")
    edge = make(first, second)
    edge.shake_hands()
    assert first.edges()["fra1"]["signatures"] == 1
    first.kill()
    for way in ALL_WAYS:
        edge.shake_hands(*way)
    assert second.edges()["fra1"]["signatures"] == len(ALL_WAYS)
    assert counted(edge)["away"] == 0
    again = start("keys1", first.port)
    edge.wait_log(f"the server of keys 127.0.0.1:{first.port} answers(?s:.*)"
                  f"the server of keys 127.0.0.1:{first.port} answers")
    edge.shake_hands()
    assert again.edges()["fra1"]["signatures"] == 1


def test_relay_that_is_killed_is_started_anew(start, make):
    edge = make(start())
    edge.shake_hands()
    os.kill(processes_of(edge.pid)["perigee-relay"], signal.SIGKILL)
    edge.wait_log("the signer was ended by signal 9")
    for way in ALL_WAYS:
        edge.shake_hands(*way)
    assert counted(edge)["started"] == 2


@pytest.mark.skipif(perigee.sanitized(), reason="a sanitizer has terabytes of its own")
def test_nobody_but_perigee_keys_has_a_key(fleet, start, make):
    keys = start()
    edge = make(keys, workers=2, tls="handshake_threads: 2")  # whose stacks are all read
    secrets = {f"{name} of {key}": secret for _, key in fleet.pairs
               for name, secret in secrets_of(key).items()}
    # certtool writes the public half into the file too, in other lines.
    own = {f"own {name}": secret for name, secret in secrets_of(fleet.edge.key).items()
           if "line" not in name}
    for way in ALL_WAYS:
        edge.shake_hands(*way)
    edge.reload()
    edge.wait_log("configuration")
    edge.shake_hands()
    edge.send_signal(signal.SIGSTOP)
    try:
        # Nor what the edge shows to perigee-keys.
        assert not found_in(memory_of(edge.pid), {**secrets, **own})
        children = processes_of(edge.pid)
        assert set(children) == {"signer-keeper", "perigee-relay"}
        for child in children.values():
            assert not found_in(memory_of(child), secrets)
        # The same search finds them where they are.
        assert {f"d of {key}" for _, key in fleet.pairs} <= {
            name.replace("half of ", "").replace(", least first", "")
            for name in found_in(memory_of(keys.pid), secrets)}
    finally:
        edge.send_signal(signal.SIGCONT)


def test_perigee_keys_leaves_no_core_and_nobody_may_look_into_it(fleet, start):
    fleet.top = "user: nobody"
    for path in (*fleet.directory.iterdir(), fleet.directory):
        shutil.chown(path, "nobody")
    keys = start()
    status = open(f"/proc/{keys.pid}/status", encoding="ascii").read()
    assert "Uid:\t0" not in status
    limits = open(f"/proc/{keys.pid}/limits", encoding="ascii").read()
    assert [line.split()[4:6] for line in limits.splitlines()
            if line.startswith("Max core file size")] == [["0", "0"]]
    # PR_SET_DUMPABLE 0: its files in /proc are root's, whoever it is.
    assert os.stat(f"/proc/{keys.pid}/mem").st_uid == 0


def test_key_that_is_not_there(fleet, start, make, authority, processes):
    """An edge does not start with it, and keeps what it had when it is told of it later."""
    keys = start()
    edge = make(keys)
    before = certificate_of(edge.shake_hands("-tls1_3", "-sigalgs", "ecdsa_secp256r1_sha256"))
    stranger = authority.issue("elsewhere", [HOST])
    shutil.copy(stranger[0], fleet.pairs[0][0])
    edge.wait_log("has a key that the server of keys does not have")
    edge.wait_log("the certificate that was there before stays")
    assert certificate_of(edge.shake_hands("-tls1_3", "-sigalgs", "ecdsa_secp256r1_sha256")) == before
    for way in ALL_WAYS:
        edge.shake_hands(*way)
    edge.stop()
    processes.remove(edge)
    with pytest.raises(AssertionError, match="has a key that the server of keys does not have"):
        fleet.make_edge(keys)
    # Once perigee-keys has it, the edge goes on with it.
    shutil.copy(stranger[1], fleet.pairs[0][1])
    keys.wait_log("has changed(?s:.*)configuration")
    edge = make(keys)
    for way in ALL_WAYS:
        edge.shake_hands(*way)


def test_what_an_edge_may_ask_for(fleet, start, authority):
    """Handshakes, by keys of sites that it serves."""
    other = authority.issue("other-site", ["other.example.com"])
    fleet.sites = f"""  other:
    edges: [nyc1]
    hosts: [other.example.com]
    certificates: {{certificate: {other[0]}, key: {other[1]}}}
    routes: [{{path: /, origin: app}}]"""
    keys = start()
    mine, its = key_id(fleet.pairs[0][0]), key_id(other[0])
    what = certificate_verify()
    with connect(fleet, keys) as fra1, connect(fleet, keys, fleet.issue_edge("nyc1")) as nyc1:
        assert ask(fra1, PING) == (OK, b"")
        assert ask(fra1, FIND, mine) == ask(nyc1, FIND, mine) == (OK, b"")
        assert ask(fra1, SIGN_BY_ID, mine + what, scheme=ECDSA_SHA256)[0] == OK
        assert ask(nyc1, SIGN_BY_ID, its + what, scheme=ECDSA_SHA256)[0] == OK
        for args in ((FIND, its), (FIND, bytes(32))):
            assert ask(fra1, *args)[0] == UNKNOWN
        assert ask(fra1, SIGN_BY_ID, its + what, scheme=ECDSA_SHA256) == (
            UNKNOWN, b"it is of no site that the edge serves")
        # A client's handshake, a token; and a scheme that the key does not sign by.
        client = what.replace(b"server", b"client")
        for content in (client, b'{"alg":"ES256"}.{"sub":"root"}'):
            assert ask(fra1, SIGN_BY_ID, mine + content, scheme=ECDSA_SHA256)[0] == REFUSED
        assert ask(fra1, SIGN_BY_ID, mine + what, scheme=0x0804)[0] == REFUSED
        counts = keys.edges()
        assert counts["fra1"] == {"connections": 1, "signatures": 1, "refused": 3, "unknown": 1,
                                  "limited": 0, "failed": 0}
        assert counts["nyc1"]["signatures"] == 1
    keys.wait_log("edge fra1 asks for a key that it cannot have: it is of no site")
    perigee.wait_for(lambda: keys.edges()["fra1"]["connections"] == 0, "the connection to end")


def test_each_edge_has_its_rate(fleet, start):
    fleet.own = "rate: 3/d"
    keys = start()
    content = key_id(fleet.pairs[0][0]) + certificate_verify()
    with connect(fleet, keys) as fra1, connect(fleet, keys, fleet.issue_edge("nyc1")) as nyc1:
        for _ in range(3):
            assert ask(fra1, SIGN_BY_ID, content, scheme=ECDSA_SHA256)[0] == OK
        assert ask(fra1, SIGN_BY_ID, content, scheme=ECDSA_SHA256) == (LIMITED, b"")
        assert ask(nyc1, SIGN_BY_ID, content, scheme=ECDSA_SHA256)[0] == OK
    # Not by another connection, nor after a reload.
    keys.reload_and_wait()
    with connect(fleet, keys) as fra1:
        assert ask(fra1, SIGN_BY_ID, content, scheme=ECDSA_SHA256) == (LIMITED, b"")
    assert keys.edges()["fra1"]["limited"] == 2


def test_edge_whose_certificate_is_taken_back(fleet, start, make):
    keys = start()
    edge = make(keys)
    edge.shake_hands()
    fleet.own = f"crl: {fleet.ca.revoke(fleet.edge)}"
    keys.write()
    keys.reload_and_wait()
    perigee.wait_for(lambda: fails(edge), "the edge to have no signature")
    edge.wait_log('does not answer: it has sent the alert ".*(revoked|Revoked)')
    keys.wait_log("is no edge: .*revoked")
    fleet.own = ""
    keys.write()
    keys.reload_and_wait()
    perigee.wait_for(lambda: not fails(edge), "full handshakes")


def test_reload_costs_no_handshake(start, make):
    keys = start()
    edge = make(keys)
    for _ in range(3):
        edge.shake_hands()
        keys.reload_and_wait()
    edge.shake_hands()
    assert counted(edge)["away"] == 0 and counted(edge)["signatures"] == 4


def test_broken_configuration_leaves_what_there_was(fleet, start, make):
    keys = start()
    edge = make(keys)
    path = fleet.pairs[0][1]
    with open(path, "w", encoding="ascii") as key:
        key.write("nothing\n")
    keys.wait_log(f"{path} is not a private key in PEM")
    for way in ALL_WAYS:
        edge.shake_hands(*way)


def run(*argv):
    return subprocess.run(argv, capture_output=True, text=True, timeout=perigee.PATIENCE,
                          check=False)


def test_checks(fleet, start, make):
    keys = start()
    edge = make(keys)
    checked = run(perigee.EDGE, "--check", "--node", "fra1", "--config", edge.fleet)
    assert checked.returncode == 0 and checked.stdout == "ok\n"
    assert "private keys are on another machine, and were not looked at" in checked.stderr
    checked = run(perigee.CTL, "check", edge.fleet)
    assert checked.returncode == 0 and "private keys; see perigee-keys --check" in checked.stderr
    checked = run(perigee.KEYS, "--check", "--config", keys.file)
    assert checked.returncode == 0 and checked.stdout == "ok\n"
    # There the keys are a must.
    checked = run(perigee.KEYS, "--check", "--config", edge.fleet)
    assert checked.returncode == 1 and checked.stderr.count("cannot be read: No such file") == 2


def test_fleet_whose_keys_are_elsewhere_needs_no_perigee_keys(fleet, tmp_path):
    file = tmp_path / "own.yaml"
    text = fleet.text(0).splitlines()
    text[1] = "  keys: {place: signer}"
    file.write_text("\n".join(text))
    checked = run(perigee.KEYS, "--check", "--config", file)
    assert checked.returncode == 1 and "nobody would ask perigee-keys" in checked.stderr


def test_keys_that_are_on_the_edge_all_the_same(fleet, start, make):
    for _, key in fleet.pairs:
        fleet.away(key).parent.mkdir(exist_ok=True)
        shutil.copy(key, fleet.away(key))
    edge = make(start())
    edge.wait_log("is on this machine too: perigee-keys protects nothing there|"
                  "and 1 more files, is on this machine too")


def test_somebody_else_in_the_place_of_perigee_keys(fleet, start, make):
    """An edge's certificate is none of perigee-keys."""
    server = fleet.server
    fleet.server = fleet.ca.issue("taken", ['dns_name = "fra1"', 'ip_address = "127.0.0.1"'])
    keys = start()
    fleet.server = server
    edge = make(keys)
    edge.wait_log("does not answer: its certificate: ")
    # There it is not the edge's certificate that is wrong.
    keys.wait_log('is no edge: it has sent the alert "')
    assert fails(edge)


def test_verified_by_name_too(fleet, start, make):
    fleet.server = fleet.ca.issue("elsewhere", ['dns_name = "keys.example.net"'],
                                  usage=["tls_www_server", "signing_key"])
    edge = make(start())
    edge.wait_log("does not answer: its certificate: .*name")
    assert fails(edge)


def test_old_versions_of_tls_are_refused(fleet, start):
    keys = start()
    context = fleet.context(fleet.edge)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(("127.0.0.1", keys.port), timeout=perigee.PATIENCE) as s:
        with pytest.raises(ssl.SSLError, match="ALERT"):
            context.wrap_socket(s, server_hostname="127.0.0.1")
