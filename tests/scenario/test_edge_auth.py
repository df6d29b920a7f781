# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: who is let in: by name and password, and by an origin that is asked first."""

import base64
import subprocess
import threading

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


def test_name_whose_password_nobody_has_checked_is_not_logged(make_edge, scripted_origin, tmp_path):
    """Who left before the word was given was logged by the name that it had claimed."""
    users = htpasswd(tmp_path / "users", ("ann", "secret", "-B", "-C", "14"))
    edge = make_edge({"app": scripted_origin(Recorder()).origin()},
                     {"/": ("app", f"auth: {{basic: {{file: {users}}}}}")})
    with edge.connect() as s:
        s.sendall(f"GET / HTTP/1.1\r\n{H}Authorization: Basic {credentials('ann:guessed')}"
                  "\r\n\r\n".encode())
        edge.wait_counter("edge_requests_active", 1)
    line, = edge.access_log(1)
    assert line["status"] == 0 and line["end"] == "client-closed" and "user" not in line


def test_passwords_of_clients_that_have_left_are_not_looked_at(make_edge, scripted_origin,
                                                                tmp_path):
    """Each took its quarter of a second still, and everybody waited for them."""
    users = htpasswd(tmp_path / "users", ("ann", "secret", "-B", "-C", "12"))
    edge = make_edge({"app": scripted_origin(Recorder()).origin()},
                     {"/": ("app", f"auth: {{basic: {{file: {users}}}}}")})
    guessers = [edge.connect(source=f"127.0.0.{2 + i % 4}") for i in range(40)]
    before = edge.cpu_seconds()
    edge.curl("-u", "ann:wrong", "-o", "/dev/null", edge.url("/"))
    of_one = edge.cpu_seconds() - before
    for i, s in enumerate(guessers):
        s.sendall(f"GET / HTTP/1.1\r\n{H}Authorization: Basic {credentials(f'ann:{i}')}\r\n\r\n"
                  .encode())
    edge.wait_counter("edge_requests_active", 40)
    for s in guessers:
        s.close()
    edge.wait_counter("edge_requests_active", 0)
    before = edge.cpu_seconds()
    assert edge.curl("-u", "ann:secret", edge.url("/")).stdout == "ok"
    assert edge.cpu_seconds() - before < 10 * of_one


def test_bystander_does_not_wait_for_the_passwords_of_others(make_edge, scripted_origin, tmp_path):
    """Each of them takes a quarter of a second: on the worker's loop all would wait for them."""
    users = htpasswd(tmp_path / "users", ("ann", "secret", "-B", "-C", "12"))
    edge = make_edge({"app": scripted_origin(Recorder()).origin()},
                     {"/": ("app", f"auth: {{basic: {{file: {users}}}}}"), "/open": "app"})
    guessers = [edge.connect(source=f"127.0.0.{2 + i % 4}") for i in range(20)]
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
    guessers = [edge.connect(source=f"127.0.0.{2 + i % 8}") for i in range(80)]
    for i, s in enumerate(guessers):
        s.sendall(f"GET / HTTP/1.1\r\n{H}Authorization: Basic {credentials(f'ann:{i}')}\r\n\r\n"
                  .encode())
    perigee.wait_for(lambda: edge.counters()["edge_auth_busy_total"] >= 1, "somebody refused")
    for s in guessers:
        s.close()


def test_one_client_that_stayed_and_guessed_held_all_places(make_edge, scripted_origin, tmp_path):
    """Whoever else had to be asked for a password was then turned away."""
    users = htpasswd(tmp_path / "users", ("ann", "secret", "-B", "-C", "12"))
    edge = make_edge({"app": scripted_origin(Recorder()).origin()},
                     {"/": ("app", f"auth: {{basic: {{file: {users}}}}}")})
    guessers = [edge.connect(source="127.0.0.2") for _ in range(80)]
    for i, s in enumerate(guessers):
        s.sendall(f"GET / HTTP/1.1\r\n{H}Authorization: Basic {credentials(f'ann:{i}')}\r\n\r\n"
                  .encode())
    perigee.wait_for(lambda: edge.counters()["edge_auth_busy_total"] >= 1, "somebody refused")
    # Some of them wait still.
    got = edge.curl("-u", "ann:secret", edge.url("/"))
    assert got.stdout == "ok"
    for s in guessers:
        s.close()


def milliseconds_of(edge, user):
    """Of the processor, for what is wrong."""
    before = edge.cpu_seconds()
    for i in range(3):
        got = edge.curl("-u", f"{user}:guess{i}", "-o", "/dev/null", "-w", "%{http_code}", edge.url("/"))
        assert got.stdout == "401"
    return (edge.cpu_seconds() - before) * 1000


@pytest.mark.parametrize("name", ["ann", "bob", "cid", "nobody"])
def test_time_of_a_check_told_which_names_there_are(make_edge, scripted_origin, tmp_path, name):
    """Who is unknown was checked against the first hash of the file, whatever kind that was of."""
    users = htpasswd(tmp_path / "users", ("ann", "secret", "-s"), ("bob", "secret", "-5"),
                     ("cid", "secret", "-B", "-C", "12"))
    edge = make_edge({"app": scripted_origin(Recorder()).origin()},
                     {"/": ("app", f"auth: {{basic: {{file: {users}}}}}")})
    # As much as three of bcrypt, which is far more than all else.
    assert milliseconds_of(edge, name) > 250


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


# By an origin that is asked first


class Judge:
    """An origin that answers every question with the same, and keeps the heads."""

    def __init__(self, answer):
        self.answer, self.heads = answer, []

    def __call__(self, conn):
        while data := read_head(conn):
            self.heads.append(data.decode())
            conn.sendall(self.answer)


def fields_of(head):
    return [tuple(line.split(": ", 1)) for line in head.split("\r\n")[1:] if line]


@pytest.fixture
def judged(make_edge, scripted_origin):
    """judged(answer, more): an edge that asks a judge first, the judge, and the route's origin."""
    def make(judge, more="", basic="", judge_more="", app=None, http=""):
        seen = app or Recorder()
        judge = judge if callable(judge) else Judge(judge)
        edge = make_edge({"app": scripted_origin(seen).origin(),
                          "judge": scripted_origin(judge).origin(judge_more)},
                         {"/": ("app", "auth: {forward: {origin: judge, path: /auth, "
                                f"response_fields: [X-User], {more}}}, {basic}}}")}, http)
        return edge, judge, seen

    return make


LET_IN = (b"HTTP/1.1 200 OK\r\nX-User: ann\r\nX-Other: no\r\nContent-Length: 5\r\n\r\nhello")


def test_judge_lets_in(judged):
    edge, judge, seen = judged(LET_IN)
    with edge.connect() as s:
        r = Responses(s)
        s.sendall(f"PUT /a?b=c HTTP/1.1\r\n{H}Content-Length: 3\r\nCookie: k=v\r\nX-User: root\r\n"
                  "x-USER: root\r\nX-Secret: s\r\nX-Forwarded-Uri: /lie\r\n\r\nabc".encode())
        assert r.response()[2] == b"ok"
        s.sendall(f"GET /second HTTP/1.1\r\n{H}\r\n".encode())
        assert r.response()[2] == b"ok"
    asked = fields_of(judge.heads[0])
    assert judge.heads[0].startswith("GET /auth HTTP/1.1\r\n")
    assert ("Cookie", "k=v") in asked
    assert ("X-Forwarded-Method", "PUT") in asked and ("X-Forwarded-Uri", "/a?b=c") in asked
    assert ("X-Forwarded-Host", HOST) in asked and ("X-Forwarded-Proto", "https") in asked
    assert ("X-Forwarded-For", "127.0.0.1") in asked and ("Host", HOST) in asked
    assert not [n for n, _ in asked if n.lower() in ("x-secret", "x-user", "content-length")]
    assert len([n for n, _ in asked if n.lower() == "x-forwarded-uri"]) == 1
    users = [line for line in seen.heads[0].split("\r\n") if line.startswith("x-user")]
    assert users == ["x-user: ann"] and "x-other" not in seen.heads[0]
    # Both questions went over one connection.
    assert edge.settled()["olink_connects_total"] == 2


@pytest.mark.parametrize("name", ["X-User", "x-user", "X_User", "x.user"])
def test_nobody_says_who_he_is_himself(judged, name):
    """Some origins take an underscore, or anything else, for a dash."""
    edge, _, seen = judged(b"HTTP/1.1 204 No Content\r\n\r\n", http="underscores: pass")
    assert edge.curl("-H", f"{name}: root", edge.url("/")).stdout == "ok"
    assert "root" not in seen.heads[0]


def test_nobody_says_who_he_is_in_a_trailer(judged):
    got = []

    def script(conn):
        data = read_head(conn)
        while not data.endswith(b"\r\n\r\n") or b"\r\n0\r\n" not in data:
            data += conn.recv(65536)
        got.append(data)
        conn.sendall(OK)

    edge, _, _ = judged(LET_IN, app=script)
    with edge.connect() as s:
        s.sendall(f"POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n"
                  "1\r\nx\r\n0\r\nX-User: root\r\nX-Sum: 1\r\n\r\n".encode())
        assert Responses(s).response()[2] == b"ok"
    assert b"X-Sum: 1" in got[0] and b"root" not in got[0]


def test_judge_refuses_with_its_own_words(judged):
    edge, judge, seen = judged(b"HTTP/1.1 302 Found\r\nLocation: https://login.example/\r\n"
                               b"Content-Length: 5\r\n\r\nlogin")
    with edge.connect() as s:
        r = Responses(s)
        s.sendall(f"GET / HTTP/1.1\r\n{H}\r\n".encode())
        status, fields, body = r.response()
        assert (status, fields["location"], body) == (302, "https://login.example/", b"login")
        s.sendall(f"HEAD / HTTP/1.1\r\n{H}\r\n".encode())
        status, fields = r.head()
        assert status == 302 and fields["content-length"] == "5"
        s.sendall(f"GET / HTTP/1.1\r\n{H}\r\n".encode())
        assert r.response()[0] == 302
    assert not seen.heads
    assert edge.settled()["edge_auth_refused_total"] == 3
    assert edge.access_log(1)[0]["origin"] == "judge"


def test_judge_refuses_an_upload_that_it_did_not_wait_for(judged):
    edge, judge, seen = judged(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
    with edge.connect() as s:
        s.sendall(f"POST / HTTP/1.1\r\n{H}Content-Length: 100000000\r\n\r\nabc".encode())
        assert Responses(s).response()[2] == b"no"
    assert not seen.heads


def gone(conn):
    read_head(conn)


def silent(conn):
    read_head(conn)
    conn.recv(1)


def garbled(conn):
    read_head(conn)
    conn.sendall(b"what?\r\n\r\n")


@pytest.mark.parametrize("judge, more, status", [
    (gone, "", 502), (garbled, "", 502), (silent, "timeout: {response: 200ms}", 504)])
def test_judge_that_fails_lets_nobody_in(judged, judge, more, status):
    edge, _, seen = judged(judge, judge_more=more)
    got = edge.curl("-o", "/dev/null", "-w", "%{http_code}", edge.url("/")).stdout
    assert got == str(status) and not seen.heads


def test_judge_that_never_ends_is_let_go_when_the_response_begins(judged):
    """Its connection was held for as long as the response took: of a tunnel, for days."""
    gone, done = threading.Event(), threading.Event()

    def judge(conn):
        read_head(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhm")
        try:
            if conn.recv(1) == b"":
                gone.set()
        except ConnectionResetError:
            gone.set()

    def app(conn):
        read_head(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
        done.wait(perigee.PATIENCE)
        conn.sendall(b"k")

    edge = judged(judge, app=app)[0]
    with edge.connect() as s:
        s.sendall(f"GET / HTTP/1.1\r\n{H}\r\n".encode())
        assert gone.wait(10)
        done.set()
        assert Responses(s).response()[2] == b"ok"


def test_client_that_leaves_while_the_judge_thinks(judged):
    left = []

    def script(conn):
        read_head(conn)
        left.append(conn.recv(1))

    edge, _, seen = judged(script)
    with edge.connect() as s:
        s.sendall(f"POST / HTTP/1.1\r\n{H}Content-Length: 3\r\n\r\n".encode())
        edge.wait_counter("olink_requests_total", 1)
    perigee.wait_for(lambda: left, "the judge to be left alone")
    assert left == [b""] and not seen.heads


def test_password_is_not_shown_to_the_judge(judged, tmp_path):
    users = htpasswd(tmp_path / "users", ("ann", "secret", "-B", "-C", "4"))
    edge, judge, seen = judged(LET_IN, basic=f"basic: {{file: {users}}}")
    assert edge.curl("-u", "ann:wrong", edge.url("/")).stdout.startswith("401")
    assert not judge.heads
    assert edge.curl("-u", "ann:secret", edge.url("/")).stdout == "ok"
    assert "authorization" not in judge.heads[0].lower()


def test_by_http2(judged, tmp_path):
    """Streams wait for themselves only; a refusal is whole, also of HEAD and of an upload."""
    users = htpasswd(tmp_path / "users", ("ann", "secret", "-B", "-C", "4"))
    (tmp_path / "upload").write_bytes(b"x" * 1000000)
    edge, judge, seen = judged(LET_IN, basic=f"basic: {{file: {users}}}")
    ask = ("-u", "ann:secret", "--parallel", edge.url("/a"), edge.url("/b"), edge.url("/c"))
    assert edge.curl(*ask, http2=True).stdout == "okokok"
    judge.answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
    assert edge.curl("-u", "ann:secret", edge.url("/"), http2=True).stdout == "no"
    head = edge.curl("-u", "ann:secret", "-I", edge.url("/"), http2=True).stdout
    assert head.startswith("HTTP/2 403") and "content-length: 2" in head
    upload = edge.curl("-u", "ann:secret", "-T", tmp_path / "upload", edge.url("/"), http2=True)
    assert upload.stdout == "no" and len(seen.heads) == 3
    wrong = edge.curl("-u", "ann:wrong", "-T", tmp_path / "upload", edge.url("/"), http2=True)
    assert wrong.stdout.startswith("401")
    # The end of a content of which there is none comes while the password is checked.
    judge.answer = LET_IN
    empty = edge.curl("-u", "ann:secret", "-T", "-", edge.url("/"), http2=True)
    assert empty.stdout == "ok"
