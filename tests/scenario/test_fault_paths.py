# SPDX-License-Identifier: GPL-3.0-or-later
"""A route was chosen by the path as it was sent, while origins read it in other ways. Each test is
named after what went wrong once."""

import subprocess

import pytest

import perigee
from edge_fleet import HOST, Responses, read_head


def naming(name):
    """The script of an origin that answers with its name and the target that it was sent."""
    def script(conn):
        while head := read_head(conn):
            body = name + b" " + head.split(b" ")[1]
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    return script


@pytest.fixture
def edge(make_edge, scripted_origin):
    """Its origins are named after their routes."""
    names = ["web", "api", "admin", "public"]
    routes = {"/": "web", "/api": "api", "/api/admin": "admin", "/public": "public"}
    return make_edge({n: scripted_origin(naming(n.encode())).origin() for n in names}, routes)


def get(edge, target, method="GET"):
    """Who answered, or with which status the edge did. The origin must see what was sent."""
    with edge.connect() as s:
        s.sendall(f"{method} {target} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        status, _, body = Responses(s).response()
    if status != 200:
        assert body.startswith(b"%d " % status), body
        return status
    name, _, seen = body.decode().partition(" ")
    assert seen == target
    return name


@pytest.mark.parametrize("target", [
    "//api/x", "/./api", "/%61pi", "/api/x/../y", "/api//x", "/api/./x", "///a%70i?//x",
    "/api/admin%78", "/api/x/%2e%2E/y",
])
def test_other_spelling_took_another_route(edge, target):
    assert get(edge, target) == "api"


@pytest.mark.parametrize("target", ["//api/admin", "/api//admin", "/%61pi/./admin/x",
                                    "/api/admin/x/../y"])
def test_other_spelling_went_past_a_longer_route(edge, target):
    assert get(edge, target) == "admin"


@pytest.mark.parametrize("target", [
    # an encoded slash
    "/api%2fadmin", "/%2Fapi", "/api/x%2f..%2fadmin", "/api/..%2fpublic",
    # a backslash
    "/api\\admin", "/\\api", "/api%5cadmin", "/public/..\\api\\admin",
    # parameters
    "/api;x/admin", "/api/admin;x", "/;/api/admin", "/public/..;/api/admin", "/api%3bx",
    # encoded twice
    "/api/%2561dmin", "/api%252fadmin", "/public/%252e%252e/api",
    # a ".." that some take for a name
    "/api/admin/../x", "/public/../api", "/public/%2e%2e/api", "/x/../api", "/../api",
    "/x/%2e%2E/api", "/api/x/../admin",
    # not percent-encoding, and what strings end with
    "/api/%", "/api/%zz", "/api/admin%00", "/%00",
])
def test_path_of_two_readings_reached_what_another_route_was_for(edge, target):
    assert get(edge, target) == 400
    assert edge.settled()["edge_end_client_malformed_total"] == 1
    assert edge.access_log(1)[0]["target"] == target


@pytest.mark.parametrize("target, name", [
    ("/api/projects/group%2fproject", "api"), ("/@scope%2fname", "web"),
    ("/app/cart;jsessionid=1", "web"), ("/api/admin/a;b/c", "admin"), ("/a%2520b", "web"),
    ("/50%25%20off", "web"), ("/x?next=/../%2f;\\", "web"),
])
def test_path_of_two_readings_with_one_route_passes(edge, target, name):
    assert get(edge, target) == name


def test_connection_goes_on_after_a_path_was_refused(edge):
    with edge.connect() as s:
        responses = Responses(s)
        for target, status in [("/api%2fadmin", 400), ("/api", 200)]:
            s.sendall(f"GET {target} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            assert responses.response()[0] == status


def test_forms_of_the_target(edge):
    assert get(edge, "/api#x") == 400
    assert get(edge, "api") == 400
    assert get(edge, "*") == 400
    assert get(edge, "*", "OPTIONS") == "web"
    with edge.connect() as s:
        s.sendall(f"GET http://{HOST}//api/x HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        assert Responses(s).response()[2] == b"api //api/x"


def test_health_answer_is_found_by_the_normal_form(edge):
    with edge.connect() as s:
        s.sendall(f"GET /%2ewell-known//perigee/health HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        assert Responses(s).response()[::2] == (200, b"ok\n")


@pytest.mark.parametrize("path, words", [
    ("/a//b", '"//" never matches'),
    ("/a/../b", '"." and ".." never match'),
    ("/%2e/b", '"." and ".." never match'),
    ("/.", '"." and ".." never match'),
    ("/a/.", '"." and ".." never match'),
    ("/a/%2e", '"." and ".." never match'),
    ("/a%2fb", "origins read them in different ways"),
    ("/a;b", "origins read them in different ways"),
    ("/a%25b5", "origins read them in different ways"),
    ("/a%", "without two hexadecimal digits"),
    ("/a%00", "%00"),
])
def test_route_that_could_never_match_was_taken(edge, path, words):
    edge.fleet.write_text(edge.fleet.read_text().replace("path: /public", f"path: '{path}'"))
    found = subprocess.run([perigee.CTL, "check", edge.fleet], capture_output=True, text=True)
    assert found.returncode == 1
    assert words in found.stdout + found.stderr


def test_routes_are_in_normal_form(edge):
    text = edge.fleet.read_text()
    edge.fleet.write_text(text.replace("path: /public", "path: '/caf%c3%a9%7e'"))
    edge.reload()
    edge.wait_counter("edge_reloads_total", 1)
    assert get(edge, "/caf%C3%A9~/x") == "public"
    dump = subprocess.run([perigee.CTL, "dump", edge.fleet], capture_output=True, text=True)
    assert "/caf%C3%A9~" in dump.stdout
    edge.fleet.write_text(text.replace("path: /public", "path: '/%61pi'"))
    found = subprocess.run([perigee.CTL, "check", edge.fleet], capture_output=True, text=True)
    assert found.returncode == 1 and '"/api" is there twice' in found.stdout + found.stderr
