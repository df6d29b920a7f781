# SPDX-License-Identifier: GPL-3.0-or-later
"""An authority that gives certificates to clients, and takes them back: by certtool, which can go back
in time."""

import subprocess
from pathlib import Path

from certtool import certtool

CLIENT = ["tls_www_client", "signing_key"]
ISSUER = ["ca", "cert_signing_key", "crl_signing_key"]
LONG_AGO = ['activation_date = "2020-01-01 00:00:00"', 'expiration_date = "2020-02-01 00:00:00"']
FAR_OFF = ['activation_date = "2098-01-01 00:00:00"', 'expiration_date = "2099-01-01 00:00:00"']


class Credential:
    """A certificate with its key. chain: the file with what is shown beside it, which may be none."""

    issuer = None  # an authority, unless it has signed itself

    def __init__(self, directory, name):
        self.name = name
        self.pem, self.key, self.chain = (Path(directory) / f"{name}.{s}"
                                          for s in ("pem", "key", "chain"))

    def curl(self):
        return ["--cert", self.chain, "--key", self.key]

    def der(self):
        return subprocess.run(["openssl", "x509", "-in", self.pem, "-outform", "DER"], check=True,
                              capture_output=True).stdout


class ClientAuthority(Credential):
    """One that signs itself, or an intermediate of `issuer`."""

    def __init__(self, directory, name="clients", issuer=None, lines=()):
        super().__init__(directory, name)
        self.directory = Path(directory)
        self.issuer = issuer
        self.serials = 0
        self.make(self, issuer, [f'cn = "{name} authority"', *ISSUER, *(lines or
                                 ["expiration_days = 100"])])

    def make(self, one, issuer, lines, key_type=("ecdsa", "--curve", "secp256r1")):
        template = self.directory / f"{one.name}.cfg"
        template.write_text("\n".join(lines) + "\n")
        certtool("--generate-privkey", "--key-type", *key_type, "--outfile", one.key)
        signer = ["--generate-self-signed"] if issuer is None else [
            "--generate-certificate", "--load-ca-certificate", issuer.pem,
            "--load-ca-privkey", issuer.key]
        certtool(*signer, "--load-privkey", one.key, "--template", template, "--outfile", one.pem)
        above = issuer
        text = one.pem.read_text()
        while above is not None and above.issuer is not None:
            text += above.pem.read_text()
            above = above.issuer
        one.chain.write_text(text)

    def issue(self, name, lines=(), usage=CLIENT, days=("expiration_days = 30",), dn=None, **more):
        one = Credential(self.directory, name)
        self.serials += 1
        dn = [f'cn = "{name}"'] if dn is None else dn
        self.make(one, self, [*dn, f"serial = {4096 + self.serials}", *usage, *days, *lines], **more)
        return one

    def revoke(self, *revoked, name="crl", days="crl_next_update = 30"):
        """The file of a list of those."""
        template, out, which = (self.directory / f"{self.name}-{name}.{s}"
                                for s in ("cfg", "pem", "in"))
        template.write_text(f"{days}\ncrl_number = 1\n")
        which.write_text("".join(one.pem.read_text() for one in revoked))
        load = ["--load-certificate", which] if revoked else []
        certtool("--generate-crl", "--load-ca-certificate", self.pem, "--load-ca-privkey", self.key,
                 *load, "--template", template, "--outfile", out)
        return out
