# SPDX-License-Identifier: GPL-3.0-or-later
"""What a route changes, as a client and an origin see it: the target, fields of requests and of
responses, CORS, fields of security, identities. The client is curl; the origin tells what it got."""

import re

import pytest

from edge_fleet import HOST, Responses, read_head

UUID_7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


class Recorder:
    """Answers every request with 200 and fields of its own, and keeps the heads."""

    def __init__(self, fields=()):
        self.heads = []
        self.fields = "".join(f"{line}\r\n" for line in fields)

    def __call__(self, conn):
        while head := read_head(conn):
            self.heads.append(head.decode("latin-1"))
            conn.sendall(f"HTTP/1.1 200 OK\r\n{self.fields}Content-Length: 2\r\n\r\nok".encode())

    def target(self):
        return self.heads[-1].split(" ")[1]

    def values(self, name):
        return values(self.heads[-1], name)


def values(head, name):
    """All values of a field, in order."""
    return [value.strip() for line in head.splitlines()[1:]
            for key, _, value in [line.partition(":")] if key.lower() == name.lower()]


@pytest.fixture
def routed(make_edge, scripted_origin):
    """routed(route): an edge with that YAML in its route of all paths; (get, the recorder). get()
    returns status and head."""
    def make(route, fields=(), http="", more=None, **options):
        recorder = Recorder(fields)
        origin = scripted_origin(recorder).origin()
        edge = make_edge({"app": origin}, routes={"/": ("app", route), **(more or {})},
                         http=http, **options)

        def get(path, *args, http2=False):
            got = edge.curl("-i", "--path-as-is", *args, edge.url(path), http2=http2).stdout
            head = got.replace("\r", "").partition("\n\n")[0]
            return int(head.split(" ")[1]), head

        get.edge = edge
        return get, recorder

    return make


def test_request_fields(routed):
    get, origin = routed("""request_fields: [
        {name: X-Real-IP, value: "{client.ip}"},
        {name: X-Path, value: "{method} {path} {query.q} {match.1}", when: {regex: "^/(a+)"}},
        {name: Accept, action: append, value: "text/plain"},
        {name: X-Twice, action: add, value: "2"},
        {name: X-User, value: "{cookie.user}"},
        {name: X-Secret, action: remove},
        {name: X-Post, value: "1", when: {methods: [POST]}}]""".replace("\n", " "))
    assert get("/aab%0d%0aX-Evil:1?q=%0a", "-H", "Accept: text/html", "-H", "X-Twice: 1",
               "-H", "X-User: root", "-H", "X.User: root", "-H", "X-Secret: 1",
               "-H", "X-Real-IP: 192.0.2.1")[0] == 200
    assert origin.values("X-Real-IP") == ["127.0.0.1"]
    assert origin.values("X-Path") == ["GET /aab%0D%0AX-Evil:1 %0a aa"]
    assert origin.values("Accept") == ["text/html, text/plain"]
    assert origin.values("X-Twice") == ["1", "2"]
    for name in ("X-User", "X.User", "X-Secret", "X-Post", "X-Evil"):
        assert origin.values(name) == []
    assert get("/", "-X", "POST", "-H", "Cookie: a=b; user=me")[0] == 200
    assert origin.values("X-User") == ["me"] and origin.values("X-Post") == ["1"]
    assert origin.values("X-Path") == []


def test_what_was_set_does_not_come_again_as_a_trailer(routed):
    """To an origin that merges trailers it would be the client's word after all."""
    get, origin = routed("request_fields: [{name: X-User, value: nobody}]")
    with get.edge.connect() as s:
        s.sendall(f"POST / HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "1\r\nx\r\n0\r\nX.User: root\r\nX-Sum: 1\r\n\r\n".encode())
        assert Responses(s).response()[0] == 200
    assert origin.values("X-User") == ["nobody"]
    assert "root" not in "".join(origin.heads)


def test_unsure_condition_is_refused(routed):
    """Two parameters of one name: the origin may look at the other one."""
    get, origin = routed("""request_fields: [{name: X-Admin, value: "no",
        when: {query: [{name: admin, value: "0"}]}}]""".replace("\n", " "))
    assert get("/?admin=0")[0] == 200
    assert origin.values("X-Admin") == ["no"]
    assert get("/?admin=0&admin=1")[0] == 400
    assert len(origin.heads) == 1


def test_response_fields_with_conditions(routed):
    get, _ = routed("""response_fields: [
        {name: X-Node, value: "{node} {site} {status} {response.X-App}"},
        {name: X-Ok, value: "1", when: {status: [200-299]}},
        {name: X-Bad, value: "1", when: {status: [400, 500-599]}},
        {name: Vary, action: append, value: Origin},
        {name: X-Json, value: "{match.0}", when: {regex: "[.]json$$"}}]""".replace("\n", " "),
                    fields=("X-App: 7", "Vary: Accept"))
    _, head = get("/a.json")
    assert values(head, "X-Node") == ["fra1 www 200 7"]
    assert values(head, "X-Ok") == ["1"] and values(head, "X-Bad") == []
    assert values(head, "Vary") == ["Accept, Origin"]
    assert values(head, "X-Json") == [".json"]
    assert values(get("/a.jsonx")[1], "X-Json") == []


def test_strip_prefix_and_host(routed):
    get, origin = routed("rewrite: {strip_prefix: /api, host: 'inner.example:81'}")
    assert get("/api/v1/a%2fb?x=/api")[0] == 200
    assert origin.target() == "/v1/a%2fb?x=/api"
    assert origin.values("Host") == ["inner.example:81"]
    assert origin.values("X-Forwarded-Host") == [f"{HOST}:{get.edge.port}"]
    assert get("/api")[0] == 200 and origin.target() == "/"
    assert get("/apix")[0] == 200 and origin.target() == "/apix"
    assert get("/api//evil.example/")[0] == 200 and origin.target() == "/evil.example/"


@pytest.mark.parametrize("query", ["../etc", "%2e%2e/etc", "..%2fetc", "%252e%252e%252fetc",
                                   "..%5cetc", "..;/etc", "a/../../b", "%00"])
def test_rewritten_path_is_not_left(routed, query):
    get, origin = routed("rewrite: {path: '/files/{query.f}?'}")
    assert get(f"/dl?f={query}")[0] == 400
    assert origin.heads == []
    assert get("/dl?f=a%20b.txt")[0] == 200
    assert origin.target() == "/files/a%20b.txt"


def test_regex(routed):
    get, origin = routed("rewrite: {regex: '^/old/([0-9]+)', to: '/new/{match.1}'}")
    assert get("/old/17/x?q")[0] == 200 and origin.target() == "/new/17/x?q"
    assert get("/old/x")[0] == 200 and origin.target() == "/old/x"


CORS = """cors: {origins: ["https://a.example", "https://*.b.example"], methods: [GET, PUT],
fields: [X-A], expose: [ETag], credentials: true, max_age: 60s}""".replace("\n", " ")


def test_preflight_is_answered_by_the_edge(routed):
    get, origin = routed(CORS)
    asks = ("-X", "OPTIONS", "-H", "Access-Control-Request-Method: PUT", "-H",
            "Access-Control-Request-Headers: x-a", "-H")
    status, head = get("/x", *asks, "Origin: https://a.example")
    assert status == 204
    assert values(head, "Access-Control-Allow-Origin") == ["https://a.example"]
    assert values(head, "Access-Control-Allow-Credentials") == ["true"]
    assert values(head, "Access-Control-Allow-Methods") == ["GET, PUT"]
    assert values(head, "Access-Control-Allow-Headers") == ["X-A"]
    assert values(head, "Access-Control-Max-Age") == ["60"]
    assert "Origin" in values(head, "Vary")[0] and values(head, "Content-Length") == []
    status, head = get("/x", *asks, "Origin: https://evil.example")
    assert status == 403 and "evil" not in head and "Access-Control" not in head
    assert origin.heads == []


def test_cross_origin_response(routed):
    get, _ = routed(CORS, fields=("Access-Control-Allow-Origin: *", "Vary: Accept",
                                  "Access-Control-Allow-Methods: DELETE"))
    _, head = get("/", "-H", "Origin: https://x.b.example")
    assert values(head, "Access-Control-Allow-Origin") == ["https://x.b.example"]
    assert values(head, "Access-Control-Expose-Headers") == ["ETag"]
    assert values(head, "Access-Control-Allow-Methods") == []
    assert values(head, "Vary") == ["Accept, Origin"]
    for other in ("https://evil.example", "https://b.example", "https://evil/.b.example", "null"):
        _, head = get("/", "-H", f"Origin: {other}")
        assert "Access-Control" not in head and values(head, "Vary") == ["Accept, Origin"]


def with_site_options(edge, text):
    """Writes options of the site into the fleet's file, and reloads."""
    fleet = edge.fleet.read_text()
    edge.fleet.write_text(fleet.replace("    hosts:", f"    {text}\n    hosts:", 1))
    edge.reload()


def test_security(routed):
    get, _ = routed("", fields=("Strict-Transport-Security: max-age=1", "X-Frame-Options: DENY",
                                "Server: old"), http="alt_svc: 'h3=\":443\"', plain: serve",
                    more={"/strict": ("app", "security: strict")}, plain=True)
    with_site_options(get.edge, "hsts: {max_age: 1h, subdomains: true}\n    security: basic")
    _, head = get("/")
    assert values(head, "Strict-Transport-Security") == ["max-age=3600; includeSubDomains"]
    assert values(head, "X-Frame-Options") == ["DENY"]
    assert values(head, "X-Content-Type-Options") == ["nosniff"]
    assert values(head, "Alt-Svc") == ['h3=":443"'] and values(head, "Server") == ["old"]
    _, head = get("/strict")
    assert values(head, "Referrer-Policy") == ["no-referrer"] and values(head, "Server") == []
    assert "default-src 'self'" in values(head, "Content-Security-Policy")[0]
    # What is answered here has it too.
    status, head = get("/%zz")
    assert status == 400 and values(head, "Strict-Transport-Security") == []
    plain = get.edge.curl("-i", "-H", f"Host: {HOST}",
                          f"http://127.0.0.1:{get.edge.plain_port}/").stdout
    assert values(plain, "Strict-Transport-Security") == ["max-age=1"]
    assert values(plain, "Alt-Svc") == []
    assert values(plain, "X-Content-Type-Options") == ["nosniff"]


def test_request_id(routed):
    get, origin = routed("", http="request_id: {enabled: true, response: true}")
    seen = set()
    for sent in ("mine", "00000000-0000-7000-8000-000000000000"):
        _, head = get("/", "-H", f"X-Request-Id: {sent}")
        (told,) = values(head, "X-Request-Id")
        assert UUID_7.fullmatch(told) and told != sent
        assert origin.values("X-Request-Id") == [told]
        seen.add(told)
    assert len(seen) == 2
    status, head = get("/%zz")
    assert status == 400


def test_request_id_of_a_trusted_proxy(routed):
    get, origin = routed("", http="request_id: on, trusted_proxies: [127.0.0.1]")
    _, head = get("/", "-H", "X-Request-Id: its-own")
    assert values(head, "X-Request-Id") == []
    assert origin.values("X-Request-Id") == ["its-own"]


def test_trace(routed):
    get, origin = routed("", http="trace: {start: missing}")
    get("/", "-H", f"traceparent: {PARENT}", "-H", "tracestate: a=1")
    assert origin.values("traceparent") == [PARENT] and origin.values("tracestate") == ["a=1"]
    get("/", "-H", "traceparent: 00-0-0-0", "-H", "tracestate: a=1")
    assert origin.values("tracestate") == []
    (begun,) = origin.values("traceparent")
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", begun)


def test_all_of_it_over_http2(routed):
    """Cookies come in pieces, names in lower case, and the authority in place of Host."""
    get, origin = routed(f"""rewrite: {{strip_prefix: /api, host: inner.example}}, {CORS},
        request_fields: [{{name: X-User, value: "{{cookie.user}} {{host}}"}}],
        response_fields: [{{name: X-Node, value: "{{node}} {{status}} {{protocol}}"}}]
        """.replace("\n", " "), http="request_id: {enabled: true, response: true}")
    status, head = get("/api/x?q", "-H", "Cookie: a=b; user=me", "-H", "X.User: root",
                       "-H", "Origin: https://a.example", http2=True)
    assert status == 200 and head.startswith("HTTP/2 ")
    assert origin.target() == "/x?q" and origin.values("Host") == ["inner.example"]
    assert origin.values("X-User") == [f"me {HOST}"] and origin.values("X.User") == []
    assert values(head, "X-Node") == ["fra1 200 HTTP/2"]
    assert values(head, "Access-Control-Allow-Origin") == ["https://a.example"]
    assert UUID_7.fullmatch(values(head, "X-Request-Id")[0])
    status, head = get("/api/x", "-X", "OPTIONS", "-H", "Origin: https://a.example", "-H",
                       "Access-Control-Request-Method: PUT", http2=True)
    assert status == 204 and values(head, "Access-Control-Max-Age") == ["60"]


def test_nothing_is_changed_by_default(routed):
    get, origin = routed("", fields=("Access-Control-Allow-Origin: *",))
    _, head = get("/a/../b", "-H", "X-Request-Id: 1", "-H", "traceparent: junk",
                  "-H", "Origin: https://a.example")
    assert origin.target() == "/a/../b"
    assert origin.values("X-Request-Id") == ["1"] and origin.values("traceparent") == ["junk"]
    assert {line.partition(":")[0] for line in head.splitlines()[1:]} == {
        "Access-Control-Allow-Origin", "Content-Length", "Date", "Via"}
