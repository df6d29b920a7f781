# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads for slow signatures: how many there are, what goes on while one is waited for, and clients
and programs that end meanwhile. A signer that is stopped makes a signature as slow as one likes."""

import os
import select
import shutil
import signal
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

import perigee
from edge_fleet import HOST, Edge, Responses, read_to_end, reset
from key_search import is_stopped, processes_of

NICER = 5  # HANDSHAKES_NICE in core/net/handshakes.h
GET = f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
KINDS = ("ecdsa", "rsa")


@pytest.fixture
def make(processes, tmp_path, authority, origin):
    """make(options of tls, ...): an edge with a certificate of each kind."""
    pairs = [authority.issue(f"threads-{kind}", [HOST], kind=kind) for kind in KINDS]

    def make(tls, **more):
        edge = Edge(tmp_path, authority, {"www": ([HOST], pairs, {"/": "app"})},
                    {"app": f'servers: ["127.0.0.1:{origin.port}"]'}, top=[f"tls: {{{tls}}}"],
                    **more)
        processes.append(edge)
        return edge

    return make


def by_rsa(edge):
    """A context that is shown the certificate with the key of RSA."""
    context = edge.client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
    return context


def hello(context):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=HOST).do_handshake()
    return outgoing.read()


def threads_of(edge):
    """name -> nice, of all threads."""
    found = {}
    for task in Path(f"/proc/{edge.pid}/task").iterdir():
        fields = (task / "stat").read_text().rpartition(")")[2].split()
        found[(task / "comm").read_text().strip()] = int(fields[16])
    return found


@pytest.mark.parametrize("configured, n", [("auto", 2), ("0", 0), ("3", 3)])
def test_as_many_as_configured_and_nicer_than_workers(make, configured, n):
    edge = make(f"handshake_threads: {configured}", workers=2)
    nice = min(threads_of(edge)["worker1"] + NICER, 19)  # which is the most that there is
    # Each says so of itself, soon after it has begun.
    perigee.wait_for(lambda: {t: n for t, n in threads_of(edge).items() if t.startswith("handshake")}
                     == {f"handshake{i + 1}": nice for i in range(n)}, "threads for handshakes")


@pytest.mark.parametrize("configured", ["auto", "0"])
def test_clients_of_every_kind(make, configured):
    edge = make(f"handshake_threads: {configured}")
    ways = [
        ("-tls1_3", "-sigalgs", "ecdsa_secp256r1_sha256"),
        ("-tls1_3", "-sigalgs", "rsa_pss_rsae_sha256"),
        # Its first share is of a group that is not spoken: HelloRetryRequest.
        ("-tls1_3", "-sigalgs", "rsa_pss_rsae_sha256", "-groups", "P-521:P-384"),
        ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"),
        ("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"),
    ]
    for way in ways:
        assert "Verify return code: 0" in edge.shake_hands(*way)
    session = edge.directory / "session"
    edge.shake_hands("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256", "-sess_out", session)
    assert "Reused, " in edge.shake_hands("-tls1_2", "-sess_in", session)
    if shutil.which("gnutls-cli"):
        run = subprocess.run(
            ["gnutls-cli", "--x509cafile", edge.authority.certificate, "--sni-hostname", HOST,
             "--verify-hostname", HOST, "--priority", "NORMAL:-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256",
             "-p", str(edge.port), "127.0.0.1"],
            input="", capture_output=True, text=True, timeout=60, check=False)
        assert run.returncode == 0, run.stdout + run.stderr
    assert edge.curl(edge.url("/"), http2=True).returncode == 0
    edge.wait_counter("edge_connections_active", 0)
    assert edge.counters()["edge_handshake_failures_total"] == 0


def signer_of(edge):
    """Its process, which has its keeper's name at first."""
    return perigee.wait_for(lambda: processes_of(edge.pid).get("perigee-signer") or
                            processes_of(edge.pid).get("exe"), "a signer")


@pytest.fixture
def hanging(make):
    """An edge with one worker whose signer is stopped, and an established connection to it."""
    edge = make("keys: {place: signer}", http="timeout: {handshake: 1s}")
    with edge.connect() as s:
        signer = signer_of(edge)
        os.kill(signer, signal.SIGSTOP)
        perigee.wait_for(lambda: is_stopped(signer), "the signer to stop")
        yield edge, s


def wait_lent(edge):
    """The second handshake of a hanging edge has begun."""
    edge.wait_log(r"(?s)(open, now handshake.*){2}")


def test_signature_that_is_waited_for_holds_up_no_request(hanging):
    edge, s = hanging
    with edge.connect_tcp() as newcomer:
        newcomer.sendall(hello(edge.client_context()))
        wait_lent(edge)
        s.sendall(GET)
        status, _, _ = Responses(s).response()
        assert status == 200
        # Nothing has come of the handshake yet: a worker that waits would have ended it first.
        assert not select.select([newcomer], [], [], 0)[0]


def test_time_limit_holds_while_a_signature_is_waited_for(hanging):
    edge, s = hanging
    with edge.connect_tcp() as newcomer:
        newcomer.sendall(hello(edge.client_context()))
        # RFC 8446, 6.1: user_canceled (90) and close_notify (0), and nothing else.
        data, _ = read_to_end(newcomer)
        assert data == b"\x15\x03\x03\0\x02\x01\x5a" b"\x15\x03\x03\0\x02\x01\0"
    edge.wait_counter("edge_handshake_failures_total", 1)
    s.sendall(GET)
    assert Responses(s).response()[0] == 200
    # The thread has it still; what it held is let go of when it is back.
    edge.wait_log("the signer does not answer")
    assert "Verify return code: 0" in edge.shake_hands()


def test_program_ends_while_a_signature_is_waited_for(hanging):
    edge, _ = hanging
    with edge.connect_tcp() as newcomer:
        newcomer.sendall(hello(edge.client_context()))
        wait_lent(edge)
        edge.stop()
    assert not edge.running()


def test_clients_that_leave_after_their_hello(make):
    """In order, and not; each costs no more than itself."""
    edge = make("handshake_threads: 1", workers=2)
    first = hello(by_rsa(edge))
    n = 60
    for i in range(n):
        s = edge.connect_tcp()
        s.sendall(first)
        if i % 2:
            reset(s)
        else:
            s.close()
    edge.wait_counter("edge_handshake_failures_total", n)
    edge.wait_counter("edge_connections_active", 0)
    assert edge.curl(edge.url("/")).returncode == 0
    assert edge.counters()["edge_handshakes_total"] == 1


def test_reload_during_handshakes(make):
    """Those that are under way keep the certificates that they began with."""
    edge = make("handshake_threads: 2", workers=2)
    failed, done, over = [], [], threading.Event()

    def come_and_go():
        while not over.is_set():
            try:
                with by_rsa(edge).wrap_socket(edge.connect_tcp(), server_hostname=HOST):
                    done.append(1)
            except OSError as e:
                failed.append(e)

    crowd = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in crowd:
        thread.start()
    try:
        for n in range(5):
            before = len(done)
            edge.reload()
            edge.wait_counter("edge_reloads_total", n + 1)
            perigee.wait_for(lambda: len(done) > before + 4, "handshakes")
    finally:
        over.set()
        for thread in crowd:
            thread.join()
    assert not failed
