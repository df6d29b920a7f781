# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: sessions that are resumed by tickets, at the edge where they began and at others
with the same keys; and perigeectl ticket-key."""

import datetime
import os
import subprocess

import pytest

import perigee
import tls13
import tls_frames
from edge_fleet import HOST, Edge

GET = f"GET /bytes/5 HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
REQUEST = f"GET /bytes/5 HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
VERSIONS = ["-tls1_3", "-tls1_2"]


def ticket_key(*args, check=True):
    return subprocess.run([perigee.CTL, "ticket-key", *map(str, args)], capture_output=True,
                          text=True, check=check, timeout=60)


def new_key(directory, seconds=0):
    """Its name; it is used from so many seconds from now on."""
    time = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return ticket_key("new", "--from", time.strftime("%Y-%m-%dT%H:%M:%SZ"), directory).stdout.strip()


@pytest.fixture
def keys(tmp_path):
    directory = tmp_path / "keys"
    directory.mkdir()
    return directory


@pytest.fixture
def make_edge(processes, tmp_path, authority, certificate, origin):
    def make(name, keys=None, more="", start=True):
        directory = tmp_path / name
        directory.mkdir(exist_ok=True)
        option = f"keys: {keys}, " if keys else ""
        edge = Edge(directory, authority, {"www": ([HOST], [certificate], {"/": "app"})},
                    {"app": f'servers: ["127.0.0.1:{origin.port}"]'}, node=name,
                    top=[f"tls: {{tickets: {{{option}{more}}}}}"])
        processes.append(edge)
        return edge

    return make


def s_client(edge, *args):
    got = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{edge.port}", "-servername", HOST,
         "-CAfile", edge.authority.certificate, "-verify_return_error", "-ign_eof",
         *map(str, args)],
        input=REQUEST, capture_output=True, text=True, errors="replace", timeout=60, check=False)
    assert "HTTP/1.1 200 OK" in got.stdout, got.stdout + got.stderr
    return got.stdout


def begin(edge, session, version):
    assert "New, TLS" in s_client(edge, version, "-sess_out", session)


def resumes(edge, session, version):
    text = s_client(edge, version, "-sess_in", session)
    assert ("Reused, TLS" in text) != ("New, TLS" in text)
    return "Reused, TLS" in text


def reload(edge):
    before = edge.counters()["edge_reloads_total"]
    edge.reload()
    # It may have one of its own behind it, since it sees files change.
    perigee.wait_for(lambda: edge.counters()["edge_reloads_total"] > before, "a reload")


def in_use(edge):
    return [key["name"] for key in edge.status()["tickets"]["keys"] if key["in_use"]]


@pytest.mark.parametrize("version", VERSIONS)
def test_second_edge_before_and_after_a_rotation(make_edge, keys, tmp_path, version):
    first, session = new_key(keys, -20), tmp_path / "session"
    fra1, nyc1 = make_edge("fra1", keys), make_edge("nyc1", keys)
    begin(fra1, session, version)
    assert resumes(nyc1, session, version)

    # One that all have before it is used changes nothing yet.
    later = new_key(keys, 3600)
    for edge in fra1, nyc1:
        reload(edge)
        assert in_use(edge) == [first]
    assert resumes(nyc1, session, version)

    (keys / later).unlink()
    second = new_key(keys, -10)
    for edge in fra1, nyc1:
        reload(edge)
        assert in_use(edge) == [second]
    assert resumes(nyc1, session, version) and resumes(fra1, session, version)
    newer = tmp_path / "newer"
    begin(nyc1, newer, version)
    assert resumes(fra1, newer, version)

    # Retired: what needs it begins anew.
    assert second in ticket_key("retire", keys, first).stdout
    reload(nyc1)
    assert not resumes(nyc1, session, version)
    assert resumes(nyc1, newer, version)


def test_changed_directory_is_picked_up(make_edge, keys):
    """Without a reload: a new key, and one that is gone."""
    first = new_key(keys, -20)
    edge = make_edge("fra1", keys)
    assert in_use(edge) == [first]
    second = new_key(keys, -10)
    perigee.wait_for(lambda: in_use(edge) == [second], "the new key")
    ticket_key("retire", keys, second)
    perigee.wait_for(lambda: in_use(edge) == [first], "the key before")
    assert edge.counters()["edge_reload_failures_total"] == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_key_survives_the_process(make_edge, keys, tmp_path, version):
    """Right after the start, too: some versions of GnuTLS ignored the key they were given in the
    first hours (CVE-2020-13777), so that anybody's session was resumed there, or nobody's."""
    new_key(keys)
    session, foreign = tmp_path / "session", tmp_path / "foreign"
    edge = make_edge("fra1", keys)
    begin(edge, session, version)
    edge.stop()
    edge = make_edge("fra1", keys)
    assert resumes(edge, session, version)
    other = make_edge("nyc1")
    begin(other, foreign, version)
    assert not resumes(edge, foreign, version)
    assert not resumes(other, session, version)
    assert in_use(other) == ["own"]


def test_number_and_lifetime_of_tickets(make_edge, keys, tmp_path):
    new_key(keys)
    some = make_edge("fra1", keys, "count: 3, lifetime: 1h")
    text = s_client(some, "-tls1_3")
    assert text.count("Post-Handshake New Session Ticket arrived") == 3
    assert "lifetime hint: 3600 (seconds)" in text
    assert "lifetime hint: 3600 (seconds)" in s_client(some, "-tls1_2")
    assert some.status()["tickets"]["lifetime"] == 3600
    assert s_client(make_edge("nyc1", keys), "-tls1_3").count(
        "Post-Handshake New Session Ticket arrived") == 1
    none = make_edge("sin1", keys, "count: 0")
    for version in VERSIONS:
        assert "Ticket arrived" not in s_client(none, version, "-sess_out", tmp_path / version)
        assert "TLS session ticket:" not in s_client(none, version)


def test_broken_key_leaves_the_others_in_place(make_edge, keys, tmp_path):
    new_key(keys)
    session = tmp_path / "session"
    edge = make_edge("fra1", keys)
    begin(edge, session, "-tls1_3")
    broken = keys / "2026-01-01T00:00:00Z.key"
    os.mkfifo(broken)
    short = keys / "2026-01-02T00:00:00Z.key"
    short.write_bytes(bytes(63))
    edge.reload()
    edge.wait_counter("edge_reload_failures_total", 1)
    assert f"{broken} is a FIFO, not a regular file" in edge.log()
    assert f"{short} holds 63 bytes" in edge.log()
    assert resumes(edge, session, "-tls1_3")
    check = subprocess.run([perigee.CTL, "check", edge.fleet], capture_output=True, text=True,
                           check=False)
    assert check.returncode == 1 and f"{broken} is a FIFO" in check.stderr
    broken.unlink()
    short.write_bytes(os.urandom(64))
    short.chmod(0o644)
    edge.wait_log(rf"{short} may be read by everybody \(mode 0644\)")
    assert resumes(edge, session, "-tls1_3")


def test_status_names_keys_and_never_shows_them(make_edge, keys):
    older, newest = new_key(keys, -20), new_key(keys)
    edge = make_edge("fra1", keys)
    listed = edge.status()["tickets"]["keys"]
    assert [key["name"] for key in listed] == [older, newest]
    assert in_use(edge) == [newest]
    said = str(edge.status()) + edge.log() + ticket_key("list", keys).stdout
    for name in older, newest:
        secret = (keys / name).read_bytes()
        assert secret.hex() not in said and repr(secret)[2:-1] not in said


def test_ticket_key(keys):
    first, second = new_key(keys, -10), new_key(keys, 7200)
    assert (keys / first).stat().st_size == 64 and (keys / first).stat().st_mode & 0o7777 == 0o600
    lines = ticket_key("list", keys).stdout.splitlines()
    assert first in lines[1] and "in use" in lines[1]
    assert second in lines[2] and "later" in lines[2]
    third = ticket_key("new", keys).stdout.strip()
    lines = ticket_key("list", keys).stdout.splitlines()
    assert "older" in lines[1] and third in lines[2] and "in use" in lines[2]
    ticket_key("retire", keys, third)
    assert not (keys / third).exists()
    assert "no keys" in ticket_key("list", keys / "..").stdout


@pytest.mark.parametrize("args,code,said", [
    ((), 2, "is needed"),
    (("new",), 2, "is needed"),
    (("new", "--from", "tomorrow", "KEYS"), 2, '"tomorrow" is no time'),
    (("list", "--from", "2026-01-01T00:00:00Z", "KEYS"), 2, "--from belongs to new"),
    (("list", "/nonexistent"), 1, "/nonexistent: No such file or directory"),
    (("new", "/nonexistent"), 1, "/nonexistent: No such file or directory"),
    (("retire", "KEYS", "../perigee.yaml"), 1, "is not the name of a key"),
    (("retire", "KEYS", "2026-01-01T00:00:00Z.key"), 1, "No such file or directory"),
])
def test_ticket_key_complains(keys, args, code, said):
    got = ticket_key(*(keys if a == "KEYS" else a for a in args), check=False)
    assert got.returncode == code and said in got.stderr


# What only a client by hand can do


@pytest.fixture
def edge(make_edge, keys):
    new_key(keys)
    return make_edge("fra1", keys)


def client(edge, **more):
    return tls13.Client(edge.connect_tcp(), HOST, **more)


def ticket_of(edge):
    first = client(edge).connect()
    assert not first.resumed
    first.send(GET)
    first.read_until(b"\r\n\r\n")
    return first.read_ticket()


def serves(c):
    c.send(GET)
    return c.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK")


def test_ticket_by_hand(edge):
    again = client(edge, ticket=ticket_of(edge)).connect()
    assert again.resumed and serves(again)


def test_bad_binder(edge):
    """RFC 8446, 4.2.11: "If this value is not present or does not validate, the server MUST abort
    the handshake". By section 6.2 with decrypt_error; GnuTLS and OpenSSL send illegal_parameter."""
    broken = client(edge, ticket=ticket_of(edge), bad_binder=True)
    with pytest.raises(tls_frames.Refused) as alert:
        broken.connect()
    assert (alert.value.alert, alert.value.level) == (tls_frames.ILLEGAL_PARAMETER, 2)
    edge.wait_counter("edge_handshake_failures_malformed_total", 1)
    assert edge.counters()["edge_handshake_failures_total"] == 1
    assert serves(client(edge).connect())


def test_second_client_hello_with_its_ticket(edge):
    again = client(edge, ticket=ticket_of(edge), share=False).connect()
    assert again.retried and again.resumed and serves(again)


def test_second_client_hello_without_the_ticket_of_the_first(edge):
    """GnuTLS took it for resumed and crashed, or went on without keys (CVE-2025-6395). It may refuse
    it, as the second must have what the first had, or do a full handshake."""
    again = client(edge, ticket=ticket_of(edge), share=False)
    try:
        again.connect(second_ticket=False)
        assert again.retried and not again.resumed and serves(again)
    except tls_frames.Refused as refused:
        assert refused.alert in (tls_frames.ILLEGAL_PARAMETER, tls_frames.MISSING_EXTENSION)
    assert edge.running() and serves(client(edge).connect())


@pytest.mark.parametrize("change", ["name", "cut", "short", "end", "empty"])
def test_ticket_that_is_none_of_ours(edge, change):
    ticket = ticket_of(edge)
    identity = ticket.identity
    ticket.identity = {
        "name": bytes([identity[0] ^ 1]) + identity[1:],
        "cut": identity[:40],
        "end": identity[:-1] + bytes([identity[-1] ^ 1]),
        "empty": b"x",
        "short": identity[:15],
    }[change]
    full = client(edge, ticket=ticket).connect()
    assert not full.resumed and serves(full)
