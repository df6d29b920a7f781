# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON Schema of the configuration, judged by somebody else's validator: it takes what
`perigeectl` takes, and refuses what it refuses."""

import json
import subprocess

import pytest

import perigee

jsonschema = pytest.importorskip("jsonschema", reason="apt-get install python3-jsonschema")
yaml = pytest.importorskip("yaml", reason="apt-get install python3-yaml")

SAMPLES = perigee.SOURCE / "config" / "samples"


def ctl(*args):
    return subprocess.run([perigee.CTL, *args], capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def validator():
    schema = json.loads(ctl("schema").stdout)
    cls = jsonschema.validators.validator_for(schema)
    assert cls.META_SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    cls.check_schema(schema)
    return cls(schema)


def loaded(text):
    return yaml.safe_load(text)


@pytest.mark.parametrize("name", ["minimal.yaml", "perigee.yaml"])
def test_samples_are_valid(validator, name):
    validator.validate(loaded((SAMPLES / name).read_text()))
    dump = ctl("dump", SAMPLES / name)
    assert dump.stderr == ""
    validator.validate(loaded(dump.stdout))


ORIGIN = "origins: {app: {servers: a}}\n"
SITE = "hosts: a.b, certificates: {certificate: c, key: k}, routes: {origin: app}"

STEERED = (ORIGIN + "edges: {a: {addresses: 192.0.2.1}, b: {addresses: 192.0.2.2}}\n"
           "sites: {www: {%s}}\n" % SITE.replace("a.b", "'*.a.b'")
           + "zones: {a.b: {file: f, steered: {%s}}}")

GOOD = [
    "edges: {fra1: }",
    "edges: {fra1: {workers: 3, check: {port: 443, status: 200}}}",
    'edges: {fra1: {workers: "${N:-3}", listen: "${L:-*:443}"}}',
    'edges: {fra1: {location: "-50.11, 8.68", bias: -3.5km, listen: ["*:443", "[::1]:443"]}}',
    "edges: {fra1: {listen: [], relay: {listen: '*:1', certificate: c, key: k, ca: a}}}",
    ORIGIN,
    "origins: {app: {servers: a, health: off}}",
    "origins: {app: {servers: ['[2001:db8::1]:81', '2001:db8::1', '192.0.2.1'], health: true}}",
    ORIGIN + "sites: {www: {%s}}" % SITE,
    ORIGIN + "sites: {www: {%s, edges: []}}" % SITE,
    "http: {limit: {head_bytes: 8192}, access_log: {output: ''}}",
    "http: {limit: {buffered: 1GiB, silent: 1}, plain: serve, proxy_protocol: [10.0.0.0/8, '::1']}",
    "edges: {fra1: {listen_plain: []}, nyc1: {listen_plain: '*:80'}}",
    "origins: {app: {servers: a, tls: on, proxy_protocol: v1, limit: {queue: 0}}}",
    "origins: {app: {servers: a, tls: {enabled: true, certificate: c, key: k, ca: a, name: b_c}}}",
    ORIGIN + "sites: {www: {%s}}" % SITE.replace("app}", "app, response_fields: [{name: X-Y}]}"),
    ORIGIN + "sites: {www: {%s}}" % SITE.replace(
        "app}", "app, response_fields: {name: '^|`~', action: add, value: 1.5}}"),
    "zones: {Example.com.: {file: f}}",
    "edges: {fra1: {check: {kind: tcp, port: 1}}, nyc1: {check: {kind: http, path: /}}}",
    "edges: {fra1: {check: {kind: '${K:-https}', path: /, verify: auto}}}",
    "edges: {fra1: {check: {verify: yes}}, nyc1: {check: {verify: 'no'}}}",
    "edges: {a: &a {listen: &l ['*:1'], continent: ''}, b: *a, c: {listen: *l, continent: eu, weight: 0}}",
    STEERED % "www: {site: www}, '*': {site: www, policy: static}",
    STEERED % "www: {site: www, policy: weighted, weights: {a: 0, b: 3}, answers: 8}",
    STEERED % "www: {site: www, policy: failover, order: b}, v: {site: www, none_up: servfail}",
    "edges: {a: }\ngeo: {database: [/a, b], overrides: [{asns: 1, edges: a}, "
    "{networks: ['::/0', 10.0.0.0/8], countries: [de, CH], continents: AF, location: '1,2'}]}",
    "geo: {overrides: [{networks: 192.0.2.0/24, location: '1,2'}]}",
]

BAD = [
    "egdes: {}",
    "edges: [fra1]",
    "edges: {fra 1: {}}",
    "edges: {fra1: {workers: many}}",
    "edges: {fra1: {workers: -1}}",
    "edges: {fra1: {location: '50.11'}}",
    "nameservers: {ns1: {listen: []}}",
    "edges: {fra1: {listen: ':443'}}",
    "edges: {fra1: {admin: asleep}}",
    "edges: {fra1: {check: {interval: 10}}}",
    "edges: {fra1: {check: {rise: 101}}}",
    "edges: {fra1: {check: {path: health}}}",
    "origins: {app: {}}",
    "origins: {app: {servers: 'http://a/'}}",
    "origins: {app: {servers: a, health: maybe}}",
    "http: {plain: no}",
    "http: {limit: {silent: 0}}",
    "http: {proxy_protocol: lb.example.com}",
    "edges: {fra1: {listen_plain: 80}}",
    "origins: {app: {servers: a, tls: maybe}}",
    "origins: {app: {servers: a, tls: {ciphers: all}}}",
    "origins: {app: {servers: a, tls: {enabled: true, ca: ''}}}",
    "origins: {app: {servers: a, proxy_protocol: v3}}",
    "origins: {app: {servers: a, limit: {connections: 0}}}",
    ORIGIN + "sites: {www: {%s}}" % SITE.replace("app}", "app, response_fields: [{value: x}]}"),
    ORIGIN + "sites: {www: {%s}}" % SITE.replace("app}", "app, response_fields: {name: 'a b'}}"),
    ORIGIN + "sites: {www: {%s}}" % SITE.replace(
        "app}", "app, response_fields: {name: x, value: ' y'}}"),
    ORIGIN + "sites: {www: {%s, extra: 1}}" % SITE,
    ORIGIN + "sites: {www: {hosts: a.b, certificates: {certificate: c}, routes: {origin: app}}}",
    ORIGIN + "sites: {www: {%s}}" % SITE.replace("a.b", "a_b"),
    ORIGIN + "sites: {www: {%s}}" % SITE.replace("{origin", "{path: /x/, origin"),
    "zones: {example.com: {steered: {}}}",
    "edges: {fra1: {check: {kind: tcp, path: /}}}",
    "edges: {fra1: {check: {kind: http, verify: auto}}}",
    "edges: {fra1: {check: {verify: maybe}}}",
    "edges: {fra1: {continent: Europe}}",
    "edges: {fra1: {weight: 1001}}",
    "origins: {app: {servers: a, tls: {ca: c}}}",
    "origins: {app: {servers: a, tls: {enabled: 'off', ca: c}}}",
    ORIGIN + "sites: {www: {%s}}" % SITE.replace(
        "app}", "app, response_fields: {name: x, action: remove, value: y}}"),
    STEERED % "www: {site: www, order: a}",
    STEERED % "www: {site: www, policy: weighted, order: a}",
    STEERED % "www: {site: www, policy: failover, weights: {a: 1}}",
    STEERED % "www: {site: www, policy: static, none_up: nearest}",
    STEERED % "www: {site: www, policy: weighted, weights: {a: many}}",
    STEERED % "www: {site: www, policy: weighted, weights: [a]}",
    STEERED % "www: {site: www, answers: 9}",
    STEERED % "a.*: {site: www}",
    "edges: {a: }\ngeo: {overrides: [{asns: 0, edges: a}]}",
    "edges: {a: }\ngeo: {database: d, overrides: {countries: Germany, edges: a}}",
]


@pytest.mark.parametrize("text", GOOD)
def test_good_is_good_to_both(validator, tmp_path, text):
    validator.validate(loaded(text))
    (tmp_path / "f.yaml").write_text(text)
    dump = ctl("dump", tmp_path / "f.yaml")
    assert dump.stderr == ""
    # What is printed is a configuration itself, and the same one.
    (tmp_path / "dump.yaml").write_text(dump.stdout)
    again = ctl("dump", tmp_path / "dump.yaml")
    assert (again.stdout, again.stderr) == (dump.stdout, "")
    validator.validate(loaded(dump.stdout))


@pytest.mark.parametrize("text", BAD)
def test_bad_is_bad_to_both(validator, tmp_path, text):
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(loaded(text))
    (tmp_path / "f.yaml").write_text(text)
    assert ctl("dump", tmp_path / "f.yaml").returncode == 1
