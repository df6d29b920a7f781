# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: shared secrets of X25519, which are the program's own to compute where it was configured
so."""

import os
import subprocess

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import perigee
import tls13
import tls_frames
from edge_fleet import HOST, Edge

FUNCTION = "`nettle_curve25519_mul'"


@pytest.fixture
def edge(processes, tmp_path, authority, both_certificates, origin):
    edge = Edge(tmp_path, authority, {"www": ([HOST], both_certificates, {"/": "app"})},
                {"app": f'servers: ["127.0.0.1:{origin.port}"]'})
    processes.append(edge)
    return edge


class SmallOrder(tls13.Client):
    """One whose share is all zeros, so that the secret is, too, whatever the server's key is."""

    def extensions(self, ticket, early, cookie):
        public = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return super().extensions(ticket, early, cookie).replace(public, bytes(32))


def test_gnutls_comes_to_the_programs_function():
    if "#define X25519_BY_LIBCRYPTO" not in (perigee.BUILD / "config.h").read_text():
        pytest.skip("configured to leave X25519 to GnuTLS")
    done = subprocess.run([perigee.EDGE, "--version"], capture_output=True, text=True, check=True,
                          env={**os.environ, "LD_DEBUG": "bindings", "LD_BIND_NOW": "1"})
    bound = [line for line in done.stderr.splitlines() if FUNCTION in line]
    assert len(bound) == 1
    assert "libgnutls.so" in bound[0].split(" to ")[0]
    assert str(perigee.EDGE) in bound[0].split(" to ")[1]


def test_a_shared_secret_of_zeros_is_refused(edge):
    """RFC 8446 section 7.4.2."""
    with pytest.raises(tls_frames.Refused) as refused:
        SmallOrder(edge.connect_tcp(), HOST).connect()
    assert refused.value.alert == tls_frames.ILLEGAL_PARAMETER
    tls13.Client(edge.connect_tcp(), HOST).connect()
