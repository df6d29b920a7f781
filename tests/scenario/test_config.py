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

GOOD = [
    "edges: {fra1: }",
    "edges: {fra1: {workers: 3, check: {port: 443, status: 200}}}",
    'edges: {fra1: {workers: "${N:-3}", listen: "${L:-*:443}"}}',
    'edges: {fra1: {location: "-50.11, 8.68", bias: -3.5km, listen: ["*:443", "[::1]:443"]}}',
    ORIGIN,
    "origins: {app: {servers: a, health: off}}",
    "origins: {app: {servers: ['[2001:db8::1]:81', '2001:db8::1', '192.0.2.1'], health: true}}",
    ORIGIN + "sites: {www: {%s}}" % SITE,
    ORIGIN + "sites: {www: {%s, edges: []}}" % SITE,
    "http: {limit: {head_bytes: 8192}, access_log: ''}",
    "http: {limit: {buffered: 1GiB, silent: 1}, plain: serve, proxy_protocol: [10.0.0.0/8, '::1']}",
    "edges: {fra1: {listen_plain: []}, nyc1: {listen_plain: '*:80'}}",
    "origins: {app: {servers: a, tls: on, proxy_protocol: v1, limit: {queue: 0}}}",
    "origins: {app: {servers: a, tls: {enabled: true, certificate: c, key: k, ca: a, name: b_c}}}",
    ORIGIN + "sites: {www: {%s}}" % SITE.replace("app}", "app, response_fields: [{name: X-Y}]}"),
    ORIGIN + "sites: {www: {%s}}" % SITE.replace(
        "app}", "app, response_fields: {name: '^|`~', action: add, value: 1.5}}"),
    "zones: {Example.com.: {file: f}}",
]

BAD = [
    "egdes: {}",
    "edges: [fra1]",
    "edges: {fra 1: {}}",
    "edges: {fra1: {workers: many}}",
    "edges: {fra1: {workers: -1}}",
    "edges: {fra1: {location: '50.11'}}",
    "edges: {fra1: {listen: []}}",
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
]


@pytest.mark.parametrize("text", GOOD)
def test_good_is_good_to_both(validator, tmp_path, text):
    validator.validate(loaded(text))
    (tmp_path / "f.yaml").write_text(text)
    assert ctl("dump", tmp_path / "f.yaml").stderr == ""


@pytest.mark.parametrize("text", BAD)
def test_bad_is_bad_to_both(validator, tmp_path, text):
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(loaded(text))
    (tmp_path / "f.yaml").write_text(text)
    assert ctl("dump", tmp_path / "f.yaml").returncode == 1
