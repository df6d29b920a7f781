# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys on a token: SoftHSM2, through PKCS #11, asked by the edge itself and by its signer."""

import shutil
import subprocess
from pathlib import Path

import pytest

import perigee
from edge_fleet import HOST, Edge
from key_search import found_in, memory_of, secrets_of

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = "814025"
pytestmark = pytest.mark.skipif(shutil.which("softhsm2-util") is None or not MODULE.exists(),
                                reason="softhsm2 is not installed")


@pytest.fixture
def token(tmp_path, monkeypatch):
    """token(name, key): puts a key on it; its URL, as it is known by any program."""
    (tmp_path / "tokens").mkdir()
    (tmp_path / "softhsm2.conf").write_text(
        f"directories.tokendir = {tmp_path}/tokens\nlog.level = ERROR\n")
    (tmp_path / "pin").write_text(PIN)
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "softhsm2.conf"))

    def softhsm(*args):
        subprocess.run(["softhsm2-util", *map(str, args)], check=True, capture_output=True)

    softhsm("--init-token", "--free", "--label", "perigee", "--pin", PIN, "--so-pin", PIN)
    ids = iter(range(1, 100))

    def put(name, key):
        pkcs8 = tmp_path / f"{name}.p8"
        pkcs8.write_bytes(perigee.openssl("pkcs8", "-topk8", "-nocrypt", "-in", key).stdout)
        softhsm("--import", pkcs8, "--token", "perigee", "--label", name, "--id",
                f"{next(ids):02x}", "--pin", PIN)
        pkcs8.unlink()
        return f"'pkcs11:token=perigee;object={name};type=private?pin-source={tmp_path}/pin'"

    return put


@pytest.fixture
def make(processes, tmp_path, authority, token, origin):
    def make(place):
        pairs = []
        make.secrets = {}
        for kind in ("ecdsa", "rsa"):
            certificate, key = authority.issue(f"token-{kind}", [HOST], kind=kind)
            pairs.append((certificate, token(kind, key)))
            make.secrets.update({f"{kind} {n}": s for n, s in secrets_of(key).items()})
        edge = Edge(tmp_path, authority, {"www": ([HOST], pairs, {"/": "app"})},
                    {"app": f'servers: ["127.0.0.1:{origin.port}"]'},
                    top=[f"tls: {{keys: {{place: {place}}}}}"])
        processes.append(edge)
        return edge

    return make


WAYS = [
    ("-tls1_3", "-sigalgs", "ecdsa_secp256r1_sha256"),
    ("-tls1_3", "-sigalgs", "rsa_pss_rsae_sha256"),
    ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"),
    ("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256", "-sigalgs", "RSA+SHA256"),
]


@pytest.mark.parametrize("place", ["process", "signer"])
def test_handshakes_by_keys_on_a_token(make, place):
    edge = make(place)
    for way in WAYS:
        run = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{edge.port}", "-servername", HOST,
             "-CAfile", edge.authority.certificate, "-verify_return_error", *way],
            input="", capture_output=True, text=True, timeout=60, check=False)
        assert run.returncode == 0, run.stderr
    assert edge.curl(edge.url("/")).returncode == 0
    if place == "signer":
        assert edge.status()["keys"]["signatures"] == len(WAYS) + 1
        assert not found_in(memory_of(edge.pid), make.secrets)
        assert "libsofthsm2" not in Path(f"/proc/{edge.pid}/maps").read_text()


def test_key_that_the_token_lacks_is_told(tmp_path, authority, token, origin):
    certificate, _ = authority.issue("token-none", [HOST])
    url = "'pkcs11:token=perigee;object=nothing;type=private'"
    with pytest.raises(AssertionError, match="object=nothing;type=private is no key that can be"):
        Edge(tmp_path, authority, {"www": ([HOST], [(certificate, url)], {"/": "app"})},
             {"app": f'servers: ["127.0.0.1:{origin.port}"]'})


def test_pin_in_the_url_is_refused(tmp_path, authority, token, origin):
    certificate, _ = authority.issue("token-pin", [HOST])
    url = "'pkcs11:token=perigee;object=x?pin-value=1234'"
    with pytest.raises(AssertionError, match="a PIN stands in a file"):
        Edge(tmp_path, authority, {"www": ([HOST], [(certificate, url)], {"/": "app"})},
             {"app": f'servers: ["127.0.0.1:{origin.port}"]'})
