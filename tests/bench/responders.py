# SPDX-License-Identifier: GPL-3.0-or-later
"""Perigee and its peers as authoritative name servers of one zone: for each a function that writes
its configuration into a folder and returns the command line that runs it in the foreground.

The zone has `static` (one address for all) and `www`, which is steered: Perigee and gdnsd send a
client to the nearest of the places below by its coordinates; Knot and PowerDNS, which cannot, by its
country. All read the same MaxMind database, answer by one UDP thread, and check nobody's health but
Perigee, whose edges are checked for being there (it would not answer before it knows).
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import perigee as project  # noqa: E402

ZONE = "example.com"
STATIC = f"static.{ZONE}"
STEERED = f"www.{ZONE}"
STATIC_ADDRESS = "192.0.2.1"
# Where edges stand: latitude, longitude, and the country codes of the synthetic database
# (tests/bench/city_database.pl) that by-country servers send there.
PLACES = {
    "fra1": (50.11, 8.68, ["DE", "PL", "IT", "FR"]),
    "lhr1": (51.47, -0.45, ["GB", "NL", "SE", "ES"]),
    "nyc1": (40.71, -74.01, ["CA"]),
    "lax1": (33.94, -118.41, ["US", "MX"]),
    "gru1": (-23.43, -46.47, ["BR", "AR", "CL"]),
    "nrt1": (35.77, 140.39, ["JP", "KR"]),
    "sin1": (1.35, 103.99, ["SG", "IN", "CN"]),
    "syd1": (-33.95, 151.18, ["AU", "NZ"]),
    "jnb1": (-26.14, 28.24, ["ZA", "EG", "NG", "KE"]),
}
ADDRESSES = {name: f"127.0.1.{n}" for n, name in enumerate(PLACES, 1)}
DEFAULT = "fra1"

ZONE_HEAD = f"""$ORIGIN {ZONE}.
$TTL 300
@      SOA ns1 hostmaster 1 3600 600 86400 60
@      NS  ns1
ns1    A   127.0.0.1
static A   {STATIC_ADDRESS}
"""


@dataclass(frozen=True)
class Setup:
    directory: Path  # its own and empty
    listen: str  # "ADDRESS:PORT"
    database: Path  # a City database
    edge_port: int  # where all of ADDRESSES accept connections


@dataclass(frozen=True)
class Responder:
    program: str
    command: Callable  # Setup -> argv
    nearest: bool  # steers by coordinates


def perigee(setup):
    edges = "".join(
        f"""  {name}: {{location: "{lat},{lon}", addresses: [{ADDRESSES[name]}],
    check: {{kind: tcp, port: {setup.edge_port}}}}}
"""
        for name, (lat, lon, _) in PLACES.items()
    )
    (setup.directory / "zone").write_text(ZONE_HEAD)
    (setup.directory / "perigee.yaml").write_text(
        f"""edges:
{edges}nameservers:
  ns1: {{listen: ["{setup.listen}"]}}
origins:
  app: {{servers: ["127.0.0.1:{setup.edge_port}"], health: {{enabled: false}}}}
sites:
  www:
    hosts: [{STEERED}]
    certificates: [{{certificate: none.pem, key: none.key}}]
    routes: [{{path: /, origin: app}}]
zones:
  {ZONE}:
    file: zone
    steered: {{www: {{site: www, ttl: 30s}}}}
geo: {{database: {setup.database}, unknown: "50.11,8.68"}}
"""
    )
    return [project.DNS, "--config", setup.directory / "perigee.yaml", "--node", "ns1",
            "--workers", 1, "--control", setup.directory / "control"]


def gdnsd(setup):
    (setup.directory / "etc" / "zones").mkdir(parents=True)
    coordinates = ", ".join(f"{n} => [{lat}, {lon}]" for n, (lat, lon, _) in PLACES.items())
    targets = ", ".join(f"{n} => {a}" for n, a in ADDRESSES.items())
    (setup.directory / "etc" / "config").write_text(
        f"""options => {{
 listen => {setup.listen}
 udp_threads => 1
 tcp_threads => 1
 run_dir => {setup.directory}/run
 state_dir => {setup.directory}/state
 edns_client_subnet => true
}}
plugins => {{ geoip => {{
 maps => {{ world => {{
  geoip2_db => {setup.database}
  datacenters => [{", ".join(PLACES)}]
  auto_dc_coords => {{ {coordinates} }}
 }} }}
 resources => {{ www => {{ map => world, service_types => up, dcmap => {{ {targets} }} }} }}
}} }}
"""
    )
    (setup.directory / "etc" / "zones" / ZONE).write_text(
        ZONE_HEAD + "www 30 DYNA geoip!www\n")
    return ["gdnsd", "-c", setup.directory / "etc", "start"]


def by_country():
    return [(country, ADDRESSES[name]) for name, (_, _, countries) in PLACES.items()
            for country in countries]


def knot(setup):
    # The zone's own record is for clients that the database does not know.
    (setup.directory / "zone").write_text(ZONE_HEAD + f"www 30 A {ADDRESSES[DEFAULT]}\n")
    (setup.directory / "geo.conf").write_text(
        f"{STEERED}:\n" + "".join(f"  - geo: {c}\n    A: {a}\n" for c, a in by_country()))
    (setup.directory / "knot.conf").write_text(
        f"""server:
  rundir: {setup.directory}
  listen: {setup.listen.replace(":", "@")}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
  edns-client-subnet: on
database:
  storage: {setup.directory}
mod-geoip:
  - id: geo
    config-file: {setup.directory}/geo.conf
    ttl: 30
    mode: geodb
    geodb-file: {setup.database}
    geodb-key: country/iso_code
zone:
  - domain: {ZONE}
    file: {setup.directory}/zone
    module: mod-geoip/geo
"""
    )
    return ["knotd", "-c", setup.directory / "knot.conf"]


def powerdns(setup):
    address, _, port = setup.listen.rpartition(":")
    records = "".join(f"    {c.lower()}.geo.{ZONE}: [a: {a}]\n" for c, a in by_country())
    (setup.directory / "zones.yaml").write_text(
        f"""domains:
- domain: {ZONE}
  ttl: 30
  records:
    {ZONE}: [{{soa: ns1.{ZONE} hostmaster.{ZONE} 1 3600 600 86400 60}}, {{ns: ns1.{ZONE}}}]
    ns1.{ZONE}: [{{a: 127.0.0.1}}]
    {STATIC}: [{{a: {STATIC_ADDRESS}}}]
    other.geo.{ZONE}: [{{a: {ADDRESSES[DEFAULT]}}}]
{records}  services:
    {STEERED}: ['%cc.geo.{ZONE}', 'other.geo.{ZONE}']
"""
    )
    (setup.directory / "pdns.conf").write_text(
        f"""launch=geoip
geoip-zones-file={setup.directory}/zones.yaml
geoip-database-files=mmdb:{setup.database}
edns-subnet-processing=yes
local-address={address}
local-port={port}
receiver-threads=1
distributor-threads=1
reuseport=yes
socket-dir={setup.directory}
daemon=no
guardian=no
disable-syslog=yes
loglevel=3
security-poll-suffix=
version-string=anonymous
"""
    )
    return ["pdns_server", f"--config-dir={setup.directory}"]


RESPONDERS = {
    "perigee": Responder(str(project.DNS), perigee, nearest=True),
    "gdnsd": Responder("gdnsd", gdnsd, nearest=True),
    "knot": Responder("knotd", knot, nearest=False),
    "powerdns": Responder("pdns_server", powerdns, nearest=False),
}
