# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of any kind, by GnuTLS's certtool."""

import datetime
import subprocess

from edge_fleet import HOST


def certtool(*args):
    subprocess.run(["certtool", *map(str, args)], check=True, capture_output=True)


def issue(directory, name, issuer=None, bits=None, days=(0, 90), lines=()):
    """(certificate, key) for HOST that begins and ends so many days from now, by certtool."""
    key, certificate, template = (directory / f"{name}.{s}" for s in ("key", "pem", "cfg"))
    now = datetime.datetime.now(datetime.timezone.utc)
    begins, ends = (f"{now + datetime.timedelta(days=d):%Y-%m-%d %H:%M:%S}" for d in days)
    template.write_text(f'cn = "{name}"\ndns_name = "{HOST}"\nactivation_date = "{begins}"\n'
                        f'expiration_date = "{ends}"\n' + "\n".join(lines) + "\n")
    kind = ["--key-type", "rsa", "--bits", bits] if bits else ["--key-type", "ecdsa"]
    certtool("--generate-privkey", *kind, "--outfile", key)
    by = (["--generate-certificate", "--load-ca-certificate", issuer[0], "--load-ca-privkey",
           issuer[1]] if issuer else ["--generate-self-signed"])
    certtool(*by, "--load-privkey", key, "--template", template, "--outfile", certificate)
    return certificate, key
