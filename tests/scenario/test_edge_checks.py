# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: checks of origins, each kind against a server that others have written: nginx, nghttpd,
and gRPC's own (grpcio)."""

import concurrent.futures
import shutil

import pytest

import perigee
from certtool import issue
from edge_fleet import HOST
from nginx import Nginx

CHECK = "interval: 1s, timeout: 1s, rise: 1, fall: 1"


def address_of(edge):
    return edge.status()["origins"]["app"]["servers"][0]["addresses"][0]


def found(edge):
    """The verdict, once there is one."""
    perigee.wait_for(lambda: address_of(edge)["state"] != "unknown", "a verdict")
    address = address_of(edge)
    return address["state"], address["cause"]


def becomes(edge, state, cause):
    perigee.wait_for(lambda: found(edge) == (state, cause), f"it to be {state} ({cause})")
    newest = address_of(edge)["changes"][0]
    assert (newest["state"], newest["cause"]) == (state, cause)


def checked(port, check, more=""):
    return f'servers: ["127.0.0.1:{port}"], health: {{check: {{{check}, {CHECK}}}}}, {more}'


@pytest.fixture
def make_nginx(processes, tmp_path):
    def make(server, listen="", **more):
        nginx = Nginx(tmp_path, server, listen, **more)
        processes.append(nginx)
        return nginx

    return make


@pytest.mark.parametrize("check,verdict", [
    ("status: [200-299, 404]", ("up", "ok")),
    ("status: [200-299, 404], path: /gone", ("up", "ok")),
    ("status: [200-299, 405], path: /gone", ("down", "wrong-status")),
    ("path: /state, content: ready", ("up", "ok")),
    ("path: /state, content: broken", ("down", "wrong-content")),
    ("path: /state, content_regex: 'lag=[0-9]{1,2};'", ("up", "ok")),
    ("path: /state, content_regex: '^lag='", ("down", "wrong-content")),
    ("path: /secret", ("down", "wrong-status")),
    ("path: /secret, host: checks.test, fields: {X-Check: edge}", ("up", "ok")),
    ("path: /secret, host: checks.test, fields: {X-Check: edges}", ("down", "wrong-status")),
    ("path: /post, method: POST", ("up", "ok")),
    ("path: /post, method: OPTIONS", ("down", "wrong-status")),
])
@pytest.mark.parametrize("kind", ["http", "h2"])
def test_questions_and_answers(make_edge, make_nginx, kind, check, verdict):
    """The same by HTTP/1.1, and by HTTP/2 with prior knowledge."""
    nginx = make_nginx("""location / { return 200; }
location /gone { return 404; }
location /state { return 200 "ready, lag=17; "; }
location /secret {
    if ($host != checks.test) { return 403; }
    if ($http_x_check != edge) { return 403; }
    return 200;
}
location /post { if ($request_method != POST) { return 403; } return 200; }
""", "http2" if kind == "h2" else "")
    edge = make_edge({"app": checked(nginx.port, f"kind: {kind}, {check}")})
    assert found(edge) == verdict


@pytest.fixture
def make_nghttpd(processes, hold_port, tmp_path):
    """make_nghttpd("--no-tls") or make_nghttpd(key, certificate): its port."""
    if shutil.which("nghttpd") is None:
        pytest.skip("nghttpd is missing: nghttp2-server")

    def make(*args):
        options = [a for a in args if str(a).startswith("-")]
        port = hold_port()
        (tmp_path / "www").mkdir()
        (tmp_path / "www" / "index.html").write_text("I am ready\n")
        server = perigee.Process(["nghttpd", "-d", tmp_path / "www", *options, port.number,
                                  *(a for a in args if a not in options)], tmp_path / "nghttpd")
        processes.append(server)
        perigee.wait_for(port.is_listened_on, "nghttpd to listen")
        return port.number

    return make


def test_http2_of_nghttpd(make_edge, make_nghttpd):
    port = make_nghttpd("--no-tls")
    edge = make_edge({"app": checked(port, "kind: h2, path: /index.html, content: ready")})
    assert found(edge) == ("up", "ok")


def test_http2_by_tls_of_nghttpd(make_edge, make_nghttpd, authority):
    certificate, key = authority.issue("internal", ["app.test"])
    port = make_nghttpd(key, certificate)
    edge = make_edge({"app": checked(port, "kind: h2, path: /index.html, content: ready",
                                     f"tls: {{ca: {authority.certificate}, enabled: on, "
                                     "name: app.test}")})
    assert found(edge) == ("up", "ok")


def test_server_without_http2_is_not_up_by_h2(make_edge, make_nginx, authority):
    certificate, key = authority.issue("internal", ["app.test"])
    nginx = make_nginx(f"ssl_certificate {certificate}; ssl_certificate_key {key};"
                       "location / { return 200; }", "ssl")
    edge = make_edge({"app": checked(nginx.port, "kind: h2", f"tls: {{ca: {authority.certificate}, "
                                     "enabled: on, name: app.test}")})
    state, cause = found(edge)
    assert state == "down" and cause in ("bad-response", "tls-failed")


CERTIFICATES = {
    "right": dict(days=(0, 90)),
    "expired": dict(days=(-90, -1)),
}


@pytest.mark.parametrize("kind", ["tls", "https", "h2", "tcp"])
@pytest.mark.parametrize("which,name,verdict", [
    ("right", HOST, ("up", "ok")),
    ("right", "other.test", ("down", "bad-certificate")),
    ("expired", HOST, ("down", "bad-certificate")),
])
def test_certificates(make_edge, make_nginx, tmp_path, kind, which, name, verdict):
    """Where requests go by verified TLS a check of any kind finds what they would."""
    certificate, key = issue(tmp_path, which, **CERTIFICATES[which])
    nginx = make_nginx(f"ssl_certificate {certificate}; ssl_certificate_key {key};"
                       "location / { return 200; }", "ssl http2")
    edge = make_edge({"app": checked(nginx.port, f"kind: {kind}",
                                     f"tls: {{enabled: on, ca: {certificate}, name: {name}}}")})
    assert found(edge) == verdict


@pytest.mark.parametrize("kind", ["tls", "https"])
@pytest.mark.parametrize("verify,verdict", [
    ("no", ("up", "ok")), ("auto", ("up", "ok")), ("yes", ("down", "bad-certificate"))])
def test_verify_where_requests_have_no_tls(make_edge, make_nginx, tmp_path, kind, verify, verdict):
    """By a certificate that nobody on this system trusts."""
    certificate, key = issue(tmp_path, "private")
    nginx = make_nginx(f"ssl_certificate {certificate}; ssl_certificate_key {key};"
                       "location / { return 200; }", "ssl")
    edge = make_edge({"app": checked(nginx.port, f"kind: {kind}, host: {HOST}, verify: '{verify}'")})
    assert found(edge) == verdict


def test_slow_content_takes_too_long(make_edge, scripted_origin):
    """The head is there at once, and a byte of the content every tenth of a second."""
    def script(conn):
        conn.recv(65536)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        conn.settimeout(0.1)
        for _ in range(1000):
            try:
                if not conn.recv(1):
                    return
            except TimeoutError:
                conn.sendall(b"x")

    edge = make_edge({"app": checked(scripted_origin(script).port, "kind: http, content: x")})
    assert found(edge) == ("down", "timed-out")


# gRPC

STATES = {b"": b"\x08\x01", b"\x0a\x08shop.Api": b"\x08\x01", b"\x0a\x09shop.Cart": b"\x08\x02"}


@pytest.fixture
def health_service():
    """make(credentials): a gRPC server that has its health service, and the states that it tells."""
    grpc = pytest.importorskip("grpc")
    servers = []

    def make(credentials=None):
        states = dict(STATES)

        def check(request, context):
            if request not in states:
                context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
            return states[request]

        server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(
            "grpc.health.v1.Health", {"Check": grpc.unary_unary_rpc_method_handler(check)})])
        port = (server.add_secure_port("127.0.0.1:0", credentials) if credentials
                else server.add_insecure_port("127.0.0.1:0"))
        server.start()
        servers.append(server)
        return port, states

    yield make
    for server in servers:
        server.stop(0).wait()


@pytest.mark.parametrize("service,verdict", [
    ("", ("up", "ok")),
    ("shop.Api", ("up", "ok")),
    ("shop.Cart", ("down", "not-serving")),
    ("shop.None", ("down", "wrong-status")),
])
def test_grpc(make_edge, health_service, service, verdict):
    port, _ = health_service()
    edge = make_edge({"app": checked(port, f"kind: grpc, service: '{service}'")})
    assert found(edge) == verdict


def test_grpc_by_tls_that_stops_serving(make_edge, health_service, authority):
    grpc = pytest.importorskip("grpc")
    certificate, key = authority.issue("internal", ["app.test"])
    port, states = health_service(grpc.ssl_server_credentials(
        [(key.read_bytes(), certificate.read_bytes())]))
    edge = make_edge({"app": checked(port, "kind: grpc", f"tls: {{ca: {authority.certificate}, "
                                     "enabled: on, name: app.test}")})
    becomes(edge, "up", "ok")
    states[b""] = b"\x08\x02"
    becomes(edge, "down", "not-serving")
    states[b""] = b"\x08\x01"
    becomes(edge, "up", "ok")
    assert [c["state"] for c in address_of(edge)["changes"]] == ["up", "down", "up"]
