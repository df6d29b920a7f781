# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: early hints, learned from earlier responses and sent while the origin thinks."""

import threading

import pytest

import perigee
from client_ca import ClientAuthority
from edge_fleet import read_head

LINK = "</a.css>; rel=preload; as=style"
NAVIGATION = ("-H", "Sec-Fetch-Mode: navigate")


class Page:
    """An origin whose responses have these fields; it may have to wait for leave to answer."""

    def __init__(self, *fields):
        self.fields = "".join(f"{f}\r\n" for f in fields)
        self.leave = threading.Event()
        self.leave.set()

    def __call__(self, conn):
        while read_head(conn):
            self.leave.wait(perigee.PATIENCE)
            conn.sendall(f"HTTP/1.1 200 OK\r\n{self.fields}Content-Length: 2\r\n\r\nok".encode())


@pytest.fixture
def hinting(make_edge, scripted_origin):
    def make(page, options="early_hints: true", **more):
        return make_edge({"app": scripted_origin(page).origin()}, {"/": ("app", options)}, **more)

    return make


def get(edge, *args, http2=True):
    return edge.curl("-i", *args, http2=http2).stdout


def test_browser_is_told_while_the_origin_thinks(hinting):
    page = Page(f"Link: {LINK}, </next>; rel=next", "Link: <https://cdn.example>; rel=preconnect")
    edge = hinting(page)
    first = get(edge, *NAVIGATION, edge.url("/"))
    assert "HTTP/2 103" not in first and first.startswith("HTTP/2 200")
    page.leave.clear()
    threading.Thread(target=lambda: (edge.wait_counter("edge_early_hints_total", 1),
                                     page.leave.set())).start()
    hint, _, rest = get(edge, *NAVIGATION, edge.url("/")).partition("\n\n")
    assert hint.startswith("HTTP/2 103")
    assert hint.endswith(f"\nlink: {LINK}, <https://cdn.example>; rel=preconnect")
    assert rest.startswith("HTTP/2 200") and rest.endswith("ok")
    assert "HTTP/2 103" not in get(edge, *NAVIGATION, edge.url("/other"))
    assert edge.settled()["edge_early_hints_total"] == 1


def test_only_navigations_by_http2_are_told(hinting):
    edge = hinting(Page(f"Link: {LINK}"))
    get(edge, edge.url("/"))
    assert " 103" not in get(edge, edge.url("/"))
    assert " 103" not in get(edge, "-H", "Sec-Fetch-Mode: cors", edge.url("/"))
    assert " 103" not in get(edge, "-I", *NAVIGATION, edge.url("/"))
    assert " 103" not in get(edge, *NAVIGATION, edge.url("/"), http2=False)
    assert " 103" in get(edge, *NAVIGATION, edge.url("/"))
    # Who has a cookie may be told what others were.
    assert " 103" in get(edge, *NAVIGATION, "-H", "Cookie: a=b", edge.url("/"))


def test_off_by_default(hinting):
    edge = hinting(Page(f"Link: {LINK}"), "")
    get(edge, edge.url("/"))
    assert " 103" not in get(edge, *NAVIGATION, edge.url("/"))


@pytest.mark.parametrize("fields", [
    "Cache-Control: max-age=3, private", "Cache-Control: no-store", "Set-Cookie: a=b",
    "Vary: Accept, Cookie", "Vary: *"])
def test_nothing_is_learned_of_private_responses(hinting, fields):
    edge = hinting(Page(f"Link: {LINK}", fields))
    get(edge, edge.url("/"))
    assert " 103" not in get(edge, *NAVIGATION, edge.url("/"))


@pytest.mark.parametrize("field", ["Cookie: a=b", "Authorization: Basic YTpi"])
def test_nothing_is_learned_of_responses_to_somebody(hinting, field):
    edge = hinting(Page(f"Link: {LINK}"))
    get(edge, "-H", field, edge.url("/"))
    assert " 103" not in get(edge, *NAVIGATION, edge.url("/"))


def test_nothing_is_learned_of_responses_to_somebody_with_a_certificate(hinting, tmp_path):
    ca = ClientAuthority(tmp_path)
    alice = ca.issue("alice")
    edge = hinting(Page(f"Link: {LINK}"),
                   site=[f"client_certificates: {{mode: optional, ca_file: {ca.pem}}}"])
    get(edge, "--cert", alice.chain, "--key", alice.key, edge.url("/"))
    assert " 103" not in get(edge, *NAVIGATION, edge.url("/"))
    assert " 103" in get(edge, *NAVIGATION, edge.url("/"))
