# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: who is let in: by name and password, and by an origin that is asked first."""

import base64
import subprocess

import pytest

import perigee
from edge_fleet import HOST, Responses, read_head

H = f"Host: {HOST}\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def htpasswd(path, *users):
    """users: (name, password, options)"""
    lines = [subprocess.run(["htpasswd", "-nb", *options, name, password], check=True,
                            capture_output=True, text=True).stdout.strip()
             for name, password, *options in users]
    path.write_text("# names\n\n" + "\n".join(lines) + "\n")
    return path


def credentials(text):
    return base64.b64encode(text.encode()).decode()


class Recorder:
    """An origin that answers `ok` to each request and keeps the heads."""

    def __init__(self):
        self.heads = []

    def __call__(self, conn):
        while data := read_head(conn):
            self.heads.append(data.decode().lower())
            conn.sendall(OK)


# By name and password


@pytest.fixture
def basic(make_edge, scripted_origin, tmp_path):
    """basic(more): an edge that asks for a password, and what its origin has seen."""
    def make(more=""):
        users = htpasswd(tmp_path / "users", ("ann", "secret", "-B", "-C", "4"),
                         ("bob", "pass:word", "-5"), ("cid", "Ünï", "-s"))
        seen = Recorder()
        edge = make_edge({"app": scripted_origin(seen).origin()},
                         {"/": ("app", f"auth: {{basic: {{file: {users}, {more}}}}}")})
        return edge, seen

    return make


def test_password_is_asked_for(basic):
    edge, seen = basic('realm: \'the "inner" part\'')
    with edge.connect() as s:
        r = Responses(s)
        s.sendall(f"GET / HTTP/1.1\r\n{H}\r\n".encode())
        status, fields, _ = r.response()
        assert status == 401
        assert fields["www-authenticate"] == r'Basic realm="the \"inner\" part", charset="UTF-8"'
        # The connection goes on.
        s.sendall(f"GET / HTTP/1.1\r\n{H}Authorization: basic {credentials('ann:secret')}\r\n\r\n"
                  .encode())
        assert r.response()[2] == b"ok"
    assert "authorization" not in seen.heads[0]
    c = edge.settled()
    assert c["edge_auth_refused_total"] == 1 and c["olink_requests_total"] == 1


@pytest.mark.parametrize("user", ["ann:secret", "bob:pass:word", "cid:Ünï"])
def test_kinds_of_hashes(basic, user):
    edge, _ = basic()
    for _ in range(2):  # the second time it is known
        assert edge.curl("-u", user, edge.url("/")).stdout == "ok"


@pytest.mark.parametrize("field", [
    credentials("ann:wrong"), credentials("nobody:secret"), credentials("ann"),
    credentials("ann:secret\0"), credentials("ann:"), credentials(":"), credentials(""), "", "%%%",
    credentials("ann:" + "x" * 5000)])
def test_credentials_that_are_wrong(basic, field):
    edge, seen = basic()
    with edge.connect() as s:
        s.sendall(f"GET / HTTP/1.1\r\n{H}Authorization: Basic {field}\r\n\r\n".encode())
        assert Responses(s).head()[0] == 401
    assert not seen.heads


def test_credentials_that_are_there_twice(basic):
    """Whoever is behind us might take the other."""
    edge, seen = basic("forward: true")
    one = f"Authorization: Basic {credentials('ann:secret')}\r\n"
    with edge.connect() as s:
        s.sendall(f"GET / HTTP/1.1\r\n{H}{one}{one}\r\n".encode())
        assert Responses(s).head()[0] == 401
    assert not seen.heads


def test_password_goes_on_where_that_is_asked_for(basic):
    edge, seen = basic("forward: true")
    assert edge.curl("-u", "ann:secret", edge.url("/")).stdout == "ok"
    assert f"authorization: basic {credentials('ann:secret').lower()}" in seen.heads[0]


def test_content_is_not_read_before_the_password_was_right(basic):
    edge, seen = basic()
    with edge.connect() as s:
        s.sendall(f"POST / HTTP/1.1\r\n{H}Content-Length: 1000000\r\n"
                  f"Authorization: Basic {credentials('ann:wrong')}\r\n\r\n".encode())
        assert Responses(s).head()[0] == 401
    assert edge.access_log(1)[0]["bytes_in"] == 0


def test_end_that_came_while_a_password_was_checked(basic):
    """It was all there, but for the content of which there was none."""
    edge, seen = basic()
    with edge.connect() as s:
        s.sendall(f"POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n"
                  f"Authorization: Basic {credentials('ann:secret')}\r\n\r\n0\r\n\r\n".encode())
        assert Responses(s).response()[2] == b"ok"


def test_password_that_is_changed_is_not_right_any_more(basic, tmp_path):
    edge, _ = basic()
    assert edge.curl("-u", "ann:secret", edge.url("/")).stdout == "ok"
    htpasswd(tmp_path / "users", ("ann", "other", "-B", "-C", "4"))
    edge.reload()
    edge.wait_counter("edge_reloads_total", 1)
    got = edge.curl("-u", "ann:secret", "-o", "/dev/null", "-w", "%{http_code}", edge.url("/"))
    assert got.stdout == "401"
    assert edge.curl("-u", "ann:other", edge.url("/")).stdout == "ok"


def test_client_that_leaves_while_its_password_is_checked(make_edge, scripted_origin, tmp_path):
    users = htpasswd(tmp_path / "users", ("ann", "secret", "-B", "-C", "12"))
    seen = Recorder()
    edge = make_edge({"app": scripted_origin(seen).origin()},
                     {"/": ("app", f"auth: {{basic: {{file: {users}}}}}")})
    for _ in range(3):
        with edge.connect() as s:
            s.sendall(f"GET / HTTP/1.1\r\n{H}Authorization: Basic {credentials('ann:secret')}"
                      "\r\n\r\n".encode())
            edge.wait_counter("edge_requests_active", 1)
            s.close()
        edge.wait_counter("edge_requests_active", 0)
    assert edge.running()


def test_bystander_does_not_wait_for_the_passwords_of_others(make_edge, scripted_origin, tmp_path):
    """Each of them takes a quarter of a second: on the worker's loop all would wait for them."""
    users = htpasswd(tmp_path / "users", ("ann", "secret", "-B", "-C", "12"))
    edge = make_edge({"app": scripted_origin(Recorder()).origin()},
                     {"/": ("app", f"auth: {{basic: {{file: {users}}}}}"), "/open": "app"})
    guessers = [edge.connect() for _ in range(20)]
    for i, s in enumerate(guessers):
        s.sendall(f"GET / HTTP/1.1\r\n{H}Authorization: Basic {credentials(f'ann:{i}')}\r\n\r\n"
                  .encode())
    edge.wait_counter("edge_requests_active", 20)
    with edge.connect() as s:
        r = Responses(s)
        for _ in range(10):
            s.sendall(f"GET /open HTTP/1.1\r\n{H}\r\n".encode())
            assert r.response()[2] == b"ok"
    # Some still wait: nobody has waited for them.
    assert edge.counters()["edge_requests_active"] > 0
    for s in guessers:
        s.close()


def test_too_many_passwords_at_once(make_edge, scripted_origin, tmp_path):
    users = htpasswd(tmp_path / "users", ("ann", "secret", "-B", "-C", "12"))
    edge = make_edge({"app": scripted_origin(Recorder()).origin()},
                     {"/": ("app", f"auth: {{basic: {{file: {users}}}}}")})
    guessers = [edge.connect() for _ in range(80)]
    for i, s in enumerate(guessers):
        s.sendall(f"GET / HTTP/1.1\r\n{H}Authorization: Basic {credentials(f'ann:{i}')}\r\n\r\n"
                  .encode())
    perigee.wait_for(lambda: edge.counters()["edge_auth_busy_total"] >= 1, "somebody refused")
    for s in guessers:
        s.close()


@pytest.mark.parametrize("text, why", [
    ("ann:$apr1$HbSUuU3V$yJ7hFHYGbSPBdBlnAqUzR/", "use htpasswd -B"),
    ("ann:secret", "of no kind that is known"),
    ("ann:$2y$20$abcdefghijklmnopqrstuuJxTLDDV.NZEoxTmPBwLQnXxGDBlPVpe", "bcrypt's cost"),
    ("ann", "NAME:HASH was expected"),
    ("ann:{SHA}x", "no SHA-1"),
])
def test_file_that_cannot_be_used_is_an_error_of_the_configuration(basic, tmp_path, text, why):
    edge, _ = basic()
    (tmp_path / "users").write_text(text + "\n")
    checked = subprocess.run([perigee.CTL, "check", edge.fleet], capture_output=True, text=True)
    assert checked.returncode == 1 and why in checked.stdout + checked.stderr
    assert edge.curl("-u", "ann:secret", edge.url("/")).stdout == "ok"
