# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: TLS to its origins, with servers that have another TLS library."""

import socket

import pytest

import perigee
from edge_fleet import HOST, Edge


@pytest.fixture
def make_nginx(processes, tmp_path, authority):
    """make_nginx(more): its port. It closes each connection after one response, which says "r" when
    its session was resumed, and "." when not."""
    chain, key = authority.issue("origin", ["origin.test"])

    def make(more):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        home = tmp_path / f"nginx-{port}"
        home.mkdir()
        conf = home / "nginx.conf"
        conf.write_text(f"""
daemon off; master_process off; worker_processes 1; pid {home}/nginx.pid;
error_log stderr; events {{ worker_connections 128; }}
http {{ access_log off; client_body_temp_path {home}/body; proxy_temp_path {home}/p;
fastcgi_temp_path {home}/f; uwsgi_temp_path {home}/u; scgi_temp_path {home}/s;
keepalive_requests 1; ssl_certificate {chain}; ssl_certificate_key {key}; {more}
server {{ listen 127.0.0.1:{port} ssl; location / {{ return 200 "$ssl_session_reused"; }} }} }}
""")
        nginx = perigee.Process(["/usr/sbin/nginx", "-c", conf, "-p", home], home / "nginx.log")
        processes.append(nginx)

        def listening():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0

        perigee.wait_for(listening, "nginx to listen")
        return port

    return make


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("sessions", ["ssl_session_tickets on;",
                                      "ssl_session_tickets off; ssl_session_cache shared:s:1m;"])
@pytest.mark.parametrize("health", ["false", "true"])
def test_sessions_with_an_origin_are_resumed(processes, make_nginx, tmp_path, authority, certificate,
                                             version, sessions, health):
    ports = [make_nginx(f"ssl_protocols {version}; {sessions}") for _ in range(2)]
    servers = ", ".join(f'"127.0.0.1:{port}"' for port in ports)
    edge = Edge(tmp_path, authority, {"www": ([HOST], [certificate], {"/": "app"})}, {
        "app": f"servers: [{servers}], health: {health}, "
               f"tls: {{enabled: true, name: origin.test, ca: {authority.certificate}}}"}, workers=4)
    processes.append(edge)
    answers = [edge.curl(edge.url("/")).stdout for _ in range(10)]
    c = edge.settled()
    # Each worker takes the servers by turns, so the second may come late.
    assert len(answers) == 10 and answers.count(".") <= 2, answers
    assert c["olink_handshakes_total"] == 10
    assert c["olink_handshakes_resumed_total"] == answers.count("r")
