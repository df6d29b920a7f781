# SPDX-License-Identifier: GPL-3.0-or-later
"""Perigee and its peers as TLS edges in front of one origin: for each a function that writes its
configuration into a folder and returns the command line that runs it in the foreground.

All do the same duty as far as each can: TLS 1.2 and 1.3 with AES-128-GCM over X25519, one ticket for
each handshake (HAProxy and hitch cannot but send two), ALPN,
keep-alive to clients, up to 1,024 idle origin connections, and X-Forwarded-For and X-Forwarded-Proto
towards the origin. No access log. What else is said below is what their own manuals advise.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import perigee as project  # noqa: E402

CIPHER = "TLS_AES_128_GCM_SHA256"


class NotYet(Exception):
    """A server has no such feature; the text names it."""


@dataclass(frozen=True)
class Setup:
    directory: Path  # its own and empty: configuration, pid and log files go there
    listen: str  # "ADDRESS:PORT" where it takes TLS clients
    origin: str  # "ADDRESS:PORT" of the origin
    certificate: tuple  # (chain.pem, key.pem), Paths
    host: str  # the site's name
    workers: int = 1
    origin_tls: Path | None = None  # the origin's authority, when the link to it is TLS
    origin_h2: bool = False  # by HTTP/2 then
    echo: str = ""  # "ADDRESS:PORT" of an origin of WebSockets, for /echo
    gzip: bool = False  # whether it compresses JSON, level 4
    keys: str = "place: process"  # where its keys are: tls.keys


@dataclass(frozen=True)
class Edge:
    program: str  # looked up on PATH
    command: Callable  # Setup -> argv; raises NotYet


def perigee(setup):
    link = (f", protocol: {'h2' if setup.origin_h2 else 'http1'}"
            f", tls: {{enabled: true, ca: {setup.origin_tls}, name: {setup.host}}}"
            if setup.origin_tls else "")
    echo = f"""
  echo: {{servers: ["{setup.echo}"], health: {{enabled: false}}}}""" if setup.echo else ""
    echo_route = "{path: /echo, origin: echo}, " if setup.echo else ""
    compression = ("compression: {enabled: true, formats: gzip, level: {gzip: 4}}" if setup.gzip
                   else "")
    (setup.directory / "perigee.yaml").write_text(
        f"""http: {{access_log: {{output: ""}}, timeout: {{keep_alive: 600s}}}}
tls: {{keys: {{{setup.keys}}}}}
edges:
  bench: {{location: "50,8", addresses: [127.0.0.1], listen: ["{setup.listen}"]}}
origins:
  app: {{servers: ["{setup.origin}"], health: {{enabled: false}}, pool: {{max_idle: 1024}}{link}}}{echo}
sites:
  www:
    hosts: [{setup.host}]
    certificates: [{{certificate: {setup.certificate[0]}, key: {setup.certificate[1]}}}]
    routes: [{echo_route}{{path: /, origin: app}}]
    {compression}
"""
    )
    return [project.EDGE, "--config", setup.directory / "perigee.yaml", "--node", "bench",
            "--workers", setup.workers, "--control", setup.directory / "control"]


def nginx_temp(directory):
    """Where nginx may write, so that it needs no folder of the system's."""
    return " ".join(f"{kind}_temp_path {directory}/{kind};"
                    for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))


def nginx(setup):
    if setup.origin_h2:
        raise NotYet("HTTP/2 to origins")
    scheme = "https" if setup.origin_tls else "http"
    verify = f"""proxy_ssl_verify on; proxy_ssl_trusted_certificate {setup.origin_tls};
   proxy_ssl_name {setup.host}; proxy_ssl_server_name on; proxy_ssl_protocols TLSv1.3;
   proxy_ssl_conf_command Ciphersuites {CIPHER};""" if setup.origin_tls else ""
    echo = f"""location = /echo {{ proxy_pass http://{setup.echo}; proxy_http_version 1.1;
   proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
   proxy_read_timeout 600s; }}""" if setup.echo else ""
    (setup.directory / "nginx.conf").write_text(
        f"""daemon off; worker_processes {setup.workers}; pid {setup.directory}/pid;
error_log {setup.directory}/error.log;
events {{ worker_connections 32768; multi_accept on; }}
http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 600s; server_tokens off;
 {"gzip on; gzip_comp_level 4; gzip_types application/json; gzip_proxied any;" if setup.gzip else ""}
 {nginx_temp(setup.directory)} proxy_max_temp_file_size 0; proxy_buffers 8 64k; proxy_busy_buffers_size 128k;
 upstream app {{ server {setup.origin}; keepalive 1024; keepalive_requests 100000000; }}
 server {{ listen {setup.listen} ssl http2 backlog=4096 reuseport;
  ssl_certificate {setup.certificate[0]}; ssl_certificate_key {setup.certificate[1]};
  ssl_protocols TLSv1.2 TLSv1.3; ssl_conf_command Ciphersuites {CIPHER};
  ssl_conf_command NumTickets 1; ssl_ecdh_curve X25519; ssl_session_tickets on;
  {echo}
  location / {{ proxy_pass {scheme}://app; proxy_http_version 1.1;
   proxy_set_header Connection ""; proxy_set_header Host $host;
   proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
   proxy_set_header X-Forwarded-Proto $scheme;
   {verify} }} }} }}
"""
    )
    return ["nginx", "-p", setup.directory, "-e", setup.directory / "error.log",
            "-c", setup.directory / "nginx.conf"]


def both_in_one(setup):
    """Certificate chain and key in one file, as HAProxy and hitch want them."""
    pem = setup.directory / "site.pem"
    pem.write_text(setup.certificate[0].read_text() + setup.certificate[1].read_text())
    return pem


def haproxy(setup):
    link = (f"ssl verify required ca-file {setup.origin_tls} sni str({setup.host}) "
            f"verifyhost {setup.host} ciphersuites {CIPHER} "
            f"alpn {'h2' if setup.origin_h2 else 'http/1.1'}"
            if setup.origin_tls else "")
    echo_rule = "use_backend echo if { path /echo }" if setup.echo else ""
    echo = f"backend echo\n timeout tunnel 600s\n server e {setup.echo}\n" if setup.echo else ""
    (setup.directory / "haproxy.cfg").write_text(
        f"""global
 nbthread {setup.workers}
 maxconn 12000
 no strict-limits
 ssl-default-bind-ciphersuites {CIPHER}
 ssl-default-bind-curves X25519
 ssl-default-bind-options ssl-min-ver TLSv1.2
 tune.ssl.default-dh-param 2048
defaults
 mode http
 option forwardfor
 timeout connect 3s
 timeout client 600s
 timeout server 60s
frontend f
 bind {setup.listen} ssl crt {both_in_one(setup)} alpn h2,http/1.1
 http-request set-header X-Forwarded-Proto https
 {echo_rule}
 default_backend b
backend b
 http-reuse always
 server s {setup.origin} pool-max-conn 1024 {link}
{echo}"""
    )
    return ["haproxy", "-db", "-f", setup.directory / "haproxy.cfg"]


def hitch(setup):
    """TLS only: bytes go on to the origin as they are, over one connection for each client."""
    address, _, port = setup.listen.rpartition(":")
    origin, _, origin_port = setup.origin.rpartition(":")
    user = 'user = "nobody"\ngroup = "nogroup"\n' if os.geteuid() == 0 else ""
    (setup.directory / "hitch.conf").write_text(
        f"""frontend = {{ host = "{address}" port = "{port}" }}
backend = "[{origin}]:{origin_port}"
pem-file = "{both_in_one(setup)}"
workers = {setup.workers}
backlog = 4096
{user}daemon = off
tls-protos = TLSv1.2 TLSv1.3
ciphersuites = "{CIPHER}"
ecdh-curve = "X25519"
alpn-protos = "http/1.1"
keepalive = 600
"""
    )
    return ["hitch", f"--config={setup.directory}/hitch.conf"]


EDGES = {
    "perigee": Edge(str(project.EDGE), perigee),
    "nginx": Edge("nginx", nginx),
    "haproxy": Edge("haproxy", haproxy),
    "hitch": Edge("hitch", hitch),
}
