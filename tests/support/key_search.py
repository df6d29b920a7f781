# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks for private keys in the memory of a process, in all forms that libraries keep them in."""

import subprocess
from pathlib import Path

import pytest

import perigee


def integers_of(der):
    """All INTEGER and OCTET STRING of a DER value, in order; sequences are gone into."""
    found, at = [], 0
    while at < len(der):
        tag, length, at = der[at], der[at + 1], at + 2
        if length & 0x80:
            n = length & 0x7F
            length, at = int.from_bytes(der[at:at + n], "big"), at + n
        value, at = der[at:at + length], at + length
        if tag == 0x30:
            found += integers_of(value)
        elif tag in (0x02, 0x04):
            found.append(value.lstrip(b"\0"))
    return found


def secrets_of(key):
    """What nobody may learn of a key file: {name: bytes}."""
    text = Path(key).read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("-----")]
    # The first line of PKCS #8 may be the same for all keys of a kind.
    found = {f"PEM line {n}": line.encode() for n, line in enumerate(lines) if n > 0}
    der = subprocess.run(["openssl", "pkey", "-in", key, "-traditional", "-outform", "DER"],
                         check=True, capture_output=True).stdout
    numbers = integers_of(der)
    names = ["d", "p", "q", "dp", "dq", "qinv"] if len(numbers) > 4 else ["d"]
    # RFC 8017: version, n, e, d, p, q ...; RFC 5915: version, d.
    for name, number in zip(names, numbers[3 if len(names) > 1 else 1:]):
        found[name] = number
        found[f"{name}, least first"] = number[::-1]  # limbs of GMP and of libcrypto
        # However the whole is laid out, as of a core that tears it.
        found[f"half of {name}"] = number[:len(number) // 2]
        found[f"half of {name}, least first"] = number[::-1][:len(number) // 2]
    return found


def memory_of(pid):
    """All that can be read of it, piece by piece; PermissionError where the kernel forbids it."""
    if perigee.sanitized():
        pytest.skip("the memory of a sanitizer is too large to be searched")
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            addresses, rights, *_ = line.split()
            if not rights.startswith("r") or line.endswith(("[vvar]", "[vsyscall]")):
                continue
            begin, end = (int(a, 16) for a in addresses.split("-"))
            try:
                memory.seek(begin)
                yield memory.read(end - begin) or b""
            except OSError:
                continue  # a guard page, or beyond a file's end


def found_in(pieces, secrets):
    """The names of those that are there."""
    names = set()
    for piece in pieces:
        names |= {name for name, secret in secrets.items() if secret in piece}
    return names


def is_stopped(pid):
    """All its threads: until then one of them may answer."""
    return all(stat.read_text().rpartition(")")[2].split()[0] == "T"
               for stat in Path(f"/proc/{pid}/task").glob("*/stat"))


def processes_of(pid):
    """The processes under it, by what they are called: {name: pid}."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = stat.read_text().split("(", 1)[1].rsplit(")", 1)
        except (OSError, IndexError):
            continue
        if int(rest.split()[1]) == pid:
            child = int(stat.parent.name)
            found[name] = child
            found.update(processes_of(child))
    return found
