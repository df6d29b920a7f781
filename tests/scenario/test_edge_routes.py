# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: which route a request takes, and what routes answer themselves: splits, redirects,
texts, files and error pages. With curl as the client."""

import re
import signal
import threading

import pytest

import perigee
from edge_fleet import HOST, Edge, ScriptedOrigin, read_head


def say(name, status="200 OK", more=""):
    """A script that answers each request with the name of its origin and the request's target."""
    def script(conn):
        while head := read_head(conn):
            text = f"{name} {head.split(b' ')[1].decode()}"
            content = b"" if head.startswith(b"HEAD") else text.encode()
            conn.sendall(f"HTTP/1.1 {status}\r\n{more}Content-Length: {len(text)}\r\n\r\n".encode()
                         + content)

    return script


@pytest.fixture
def world(processes, tmp_path, authority, certificate):
    """world(routes, *options, origins={name: script}): an edge whose only site has these routes."""
    origins = {}

    def site(routes, options):
        return {"www": ([HOST, "*.example.com"], [certificate], routes, *options)}

    def make(routes, *options, http="", **scripts):
        for name, script in ({"app": say("app")} | scripts).items():
            origins[name] = ScriptedOrigin(script)
        edge = Edge(tmp_path, authority, site(routes, options),
                    {name: o.origin() for name, o in origins.items()}, http)
        edge.rewrite = lambda routes, *options: edge.write(
            site(routes, options), {name: o.origin() for name, o in origins.items()}, http)
        processes.append(edge)
        return edge

    yield make
    for o in origins.values():
        o.close()


def get(edge, target, *args, host=HOST):
    """(status, fields, content)"""
    out = edge.curl("-i", "--http1.1", "--path-as-is", *args, edge.url(target, host), host=host,
                    text=False).stdout
    head, _, content = out.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    fields = {}
    for line in lines:
        name, value = line.split(": ", 1)
        fields[name.lower()] = value
    return int(first.split()[1]), fields, content


def texts(edge, *requests):
    """The contents that these are answered with; a request is a target with curl's options."""
    return [get(edge, *([r] if isinstance(r, str) else r))[2].decode() for r in requests]


# Which route


def test_conditions_of_each_kind(world):
    edge = world([
        'path: /, when: {methods: [DELETE]}, respond: {text: "method"}',
        'path: /, when: {regex: "^/v([0-9]+)/"}, respond: {text: "regex"}',
        'path: /, when: {fields: [{name: X-Kind, value: "1"}]}, respond: {text: "field"}',
        'path: /, when: {fields: [{name: User-Agent, regex: "^Old"}]}, respond: {text: "agent"}',
        'path: /, when: {query: [{name: "a b", value: "c+d"}]}, respond: {text: "query"}',
        'path: /, when: {networks: [127.0.0.2]}, respond: {text: "network"}',
        'path: /, when: {hosts: ["*.example.com"], query: {name: host}}, respond: {text: "host"}',
        'path: /exact, exact: true, respond: {text: "exact"}',
        'path: /, respond: {text: "default"}',
    ])
    assert texts(
        edge, "/v12/x", "/v/x", ("/", "-H", "X-Kind: 1"), ("/", "-H", "X-Kind: 2"),
        ("/", "-A", "Old/1"), "/?a+b=c%2Bd", "/?a%20b=c+d", ("/", "--interface", "127.0.0.2"),
        "/?host", "/exact", "/exact/x", "/exactly",
    ) == ["regex", "default", "field", "default", "agent", "query", "default", "network",
          "host", "exact", "default", "default"]
    # A response with status 200 is for GET and HEAD.
    status, fields, _ = get(edge, "/", "-X", "DELETE")
    assert (status, fields["allow"]) == (405, "GET, HEAD")
    assert get(edge, "/", "-I")[1]["content-length"] == "7"


def test_longest_path_whose_conditions_hold(world):
    edge = world([
        'path: /, respond: {text: "root"}',
        'path: /api/x, when: {methods: [POST]}, origin: app',
        'path: /api, respond: {text: "api"}',
        'path: /api, exact: true, respond: {text: "exact"}',
    ])
    assert texts(edge, "/api", "/api/x", ("/api/x", "-d", "1"), "/apix", "/api/") == [
        "exact", "api", "app /api/x", "root", "api"]


def test_what_is_read_differently_reaches_no_other_route(world):
    """An open route for a part of the site, and one for the rest that is closed to strangers."""
    edge = world([
        'path: /open, origin: app',
        'path: /, when: {regex: "^/admin(/|$$)"}, respond: {status: 403, text: "closed"}',
        'path: /, when: {query: {name: action, value: admin}}, '
        'respond: {status: 403, text: "closed"}',
        'path: /, when: {fields: {name: X-Public, value: "1"}}, origin: app',
        'path: /, respond: {status: 403, text: "closed"}',
    ])
    assert get(edge, "/open/x")[0] == 200
    assert get(edge, "/", "-H", "X-Public: 1")[0] == 200
    public = ("-H", "X-Public: 1")
    for target, *args in (
        ("/admin/../open/x",), ("/secret/../open/x",), ("/secret/%2e%2e/open/x",),
        ("/admin;x", *public), ("/admin%2fx", *public), ("/%2561dmin", *public),
        ("/?action=user&action=admin", *public), ("/?action=admin&action=user", *public),
        ("/?x;action=admin", *public), ("/", *public, "-H", "X-Public: 0"),
        ("/", *public, "-H", "Connection: X-Public"),
    ):
        assert get(edge, target, *args)[0] == 400, (target, args)
    for target, *args in (("/admin/%0Ax", *public), ("/%61dmin/", *public),
                          ("//admin/", *public), ("/?action=%61dmin", *public)):
        assert get(edge, target, *args)[0] == 403, (target, args)


# Splits


def test_split_is_by_weight_and_stays(world):
    route = 'path: /, split: {{app: {}, canary: {}}}, split_by: "{{cookie.id}}"'
    edge = world([route.format(80, 20)], canary=say("canary"))

    def chosen():
        with_cookies = [("-b", f"id={i}", edge.url("/")) for i in range(200)]
        args = [a for i, one in enumerate(with_cookies) for a in (["--next"] if i else []) +
                ["-sS", "--http1.1", "--cacert", edge.authority.certificate, "--resolve",
                 f"{HOST}:{edge.port}:127.0.0.1", *one, "-w", "\n"]]
        return [line.split()[0] for line in edge.curl(*args).stdout.splitlines()]

    before = chosen()
    assert before == chosen()
    assert 15 <= before.count("canary") <= 70
    edge.rewrite([route.format(80, 0)])
    edge.send_signal(signal.SIGHUP)
    perigee.wait_for(lambda: "canary" not in chosen(), "all to go to one")
    # Without the cookie it goes by the client's address: all of these are one client's.
    assert len(set(texts(edge, *["/"] * 5))) == 1


# Redirects


@pytest.mark.parametrize("to, status, target, location", [
    ("https://new.example.com{target}", 301, "/a%20b?c=d", "https://new.example.com/a%20b?c=d"),
    ("https://{host}/new{path}", 302, "/a//b?c", f"https://{HOST}/new/a/b"),
    ("/login?next={target}", 303, "/x", None),
    ("{target}", 307, "//evil.example/x", "/evil.example/x"),
    ("{target}", 307, "/\\evil.example/x", None),
    ("/{query.next}", 308, "/?next=/evil.example", "/evil.example"),
    ("/{query.next}", 308, "/?next=%5Cevil.example", None),
    ("/{query.next}", 308, "/?next=x%0d%0aSet-Cookie:%20a=b", None),
])
def test_redirect(world, to, status, target, location):
    edge = world([f'path: /, redirect: {{to: "{to}", status: {status}}}'])
    found, fields, content = get(edge, target)
    assert found == status and content.startswith(str(status).encode())
    if location:
        assert fields["location"] == location
    # It never leads to a host of somebody else's choice, nor are there other fields by it.
    assert re.match(r"https://[a-z.]*example\.com/|/(?![/\\])", fields["location"])
    assert "set-cookie" not in fields
    assert fields["content-length"] == str(len(content))
    assert get(edge, target, "-I")[2] == b""


# Texts and files


def test_file_is_served_and_read_again_with_the_configuration(world, tmp_path):
    page = tmp_path / "page.html"
    page.write_bytes(b"<p>one" + b"x" * 500_000)
    routes = ['path: /, respond: {file: page.html}']
    edge = world(routes)
    status, fields, content = get(edge, "/")
    assert status == 200 and content == page.read_bytes()
    assert fields["content-type"] == "text/html; charset=utf-8"
    assert fields["content-length"] == str(len(content))
    etag = fields["etag"]
    for named in (etag, f'"x", W/{etag}', "*"):
        status, fields, content = get(edge, "/", "-H", f"If-None-Match: {named}")
        assert (status, content) == (304, b"") and fields["etag"] == etag
        assert "content-type" not in fields
    assert get(edge, "/", "-H", 'If-None-Match: "x"')[0] == 200
    status, fields, content = get(edge, "/", "-I")
    assert (status, content, fields["content-length"]) == (200, b"", "500006")
    # What changes on the disk is not seen before the configuration is loaded again.
    page.write_bytes(b"<p>two")
    assert get(edge, "/")[1]["etag"] == etag
    edge.send_signal(signal.SIGHUP)
    perigee.wait_for(lambda: get(edge, "/")[2] == b"<p>two", "the new page")
    # One that cannot be read leaves the old configuration in force.
    page.unlink()
    edge.send_signal(signal.SIGHUP)
    edge.wait_log(r"page\.html")
    assert get(edge, "/")[2] == b"<p>two"


def test_large_content_waits_for_its_reader(world, tmp_path):
    (tmp_path / "page.html").write_bytes(b"x" * (1 << 20))
    edge = world(['path: /, respond: {file: page.html}'])
    with edge.connect() as s:
        s.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode() * 40)
        # The edge holds little of the 40 MiB that were asked for, and serves others meanwhile.
        for _ in range(3):
            assert len(get(edge, "/")[2]) == 1 << 20
        assert edge.resident_bytes() < 200 << 20
        seen = 0
        while seen < 40 << 20:
            piece = s.recv(1 << 20)
            assert piece
            seen += len(piece)


def test_maintenance_page_is_for_every_method(world):
    edge = world(['path: /, respond: {status: 503, text: "back soon", type: text/x}, '
                  'response_fields: [{name: Retry-After, value: "60"}]'])
    for args in ((), ("-d", "1"), ("-X", "OPTIONS")):
        status, fields, content = get(edge, "/", *args)
        assert (status, content, fields["retry-after"]) == (503, b"back soon", "60")
        assert (fields["content-type"], fields["cache-control"]) == ("text/x", "no-store")
        assert "etag" not in fields
    assert edge.settled()["edge_responses_5xx_total"] == 3
    assert edge.access_log(3)[0]["status"] == 503


# Error pages


def test_error_pages_in_place_of_ours_and_of_the_origins(world, tmp_path):
    (tmp_path / "error.html").write_text("<p>sorry")
    over = threading.Event()

    def stuck(conn):
        read_head(conn)
        conn.sendall(b"HTTP/1.1 500 Oh\r\nContent-Type: text/x\r\nETag: \"a\"\r\n"
                     b"Content-Encoding: gzip\r\nX-Own: kept\r\nContent-Length: 999999\r\n\r\nab")
        over.wait(perigee.PATIENCE)

    edge = world([
        'path: /gone, origin: gone, errors: [{status: 418, of: all, text: "tea"}]',
        'path: /plain, origin: gone',
        'path: /stuck, origin: stuck',
        'path: /broken, origin: broken',
        'path: /own, respond: {status: 404, text: "own"}',
    ], "errors:", "  - {status: 404, text: '{}', type: application/json}",
       "  - {status: 500-599, of: all, file: error.html}",
       gone=say("gone", "418 No Tea", "ETag: \"x\"\r\n"), stuck=stuck,
       broken=lambda conn: conn.recv(1))
    status, fields, content = get(edge, "/nowhere")
    assert (status, content, fields["content-type"]) == (404, b"{}", "application/json")
    assert get(edge, "/broken")[::2] == (502, b"<p>sorry")
    status, fields, content = get(edge, "/stuck")
    assert (status, content) == (500, b"<p>sorry")
    assert fields["content-type"] == "text/html; charset=utf-8" and fields["x-own"] == "kept"
    assert "etag" not in fields and "content-encoding" not in fields
    over.set()
    assert get(edge, "/gone")[::2] == (418, b"tea")
    status, fields, content = get(edge, "/plain")
    assert (status, content, fields["etag"]) == (418, b"gone /plain", '"x"')
    # What a route answers is as it says.
    assert get(edge, "/own")[::2] == (404, b"own")
    status, fields, content = get(edge, "/gone", "-I")
    assert (status, content, fields["content-length"]) == (418, b"", "3")
