# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scenarios, the demo and the bench share: real processes, waited for by condition.

Every process that is started here is ended here, by its own pid; a sanitizer's complaint or an
unexpected exit code fails whoever stops it.
"""

import json
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

BUILD = Path(os.environ.get("PERIGEE_BUILD", ".")).resolve()
SOURCE = Path(os.environ.get("PERIGEE_SRC", Path(__file__).resolve().parents[2])).resolve()

EDGE = BUILD / "edge" / "perigee-edge"
DNS = BUILD / "dns" / "perigee-dns"
CTL = BUILD / "ctl" / "perigeectl"
ORIGIN = BUILD / "tests" / "support" / "perigee-origin"
SAMPLE_MMDB = BUILD / "geo" / "sample-city.mmdb"

SANITIZER = re.compile(
    r"(ERROR: AddressSanitizer|ERROR: LeakSanitizer|WARNING: ThreadSanitizer|runtime error:|"
    r"CHECK failed)"
)
# Sanitizer builds are several times slower; nothing is asserted about time, only waited for.
PATIENCE = 30.0


def wait_for(condition, what="a condition", timeout=PATIENCE):
    """Returns the first true value of condition(); raises after `timeout` seconds."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"waited {timeout:.0f} s for {what}")
        time.sleep(0.01)


def control(path, line):
    """One command to a control socket; the JSON answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(PATIENCE)
        s.connect(str(path))
        s.sendall(line.encode() + b"\n")
        data = b""
        while chunk := s.recv(65536):
            data += chunk
    return json.loads(data)


class Process:
    """A child with its output in a file."""

    def __init__(self, argv, log, env=None, cwd=None):
        self.argv = [str(a) for a in argv]
        self.log_path = Path(log)
        self.log_file = open(self.log_path, "wb")
        self.child = subprocess.Popen(
            self.argv,
            stdin=subprocess.DEVNULL,
            stdout=self.log_file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=cwd,
        )
        self.pid = self.child.pid

    def log(self):
        return self.log_path.read_text(errors="replace")

    def running(self):
        return self.child.poll() is None

    def send_signal(self, number):
        os.kill(self.pid, number)

    def wait(self, timeout=PATIENCE):
        return self.child.wait(timeout)

    def stop(self, expect=0, number=signal.SIGTERM):
        """Ends it; complains about a wrong exit code (None: any) or a sanitizer report."""
        if self.running():
            self.send_signal(number)
        try:
            code = self.wait()
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise AssertionError(f"{self.argv[0]} did not stop:\n{self.log()[-4000:]}") from None
        finally:
            self.log_file.close()
        text = self.log()
        assert not SANITIZER.search(text), f"{self.argv[0]}:\n{text[-8000:]}"
        assert expect is None or code == expect, (
            f"{self.argv[0]} exited with {code}, expected {expect}:\n{text[-4000:]}"
        )
        return code

    def kill(self):
        if self.running():
            self.child.kill()
        self.child.wait()
        self.log_file.close()


class Daemon(Process):
    """perigee-edge or perigee-dns, with its control socket."""

    def __init__(self, program, fleet, node, directory, args=(), env=None, wait=True):
        directory = Path(directory)
        self.node = node
        self.control_path = directory / f"{node}.sock"
        super().__init__(
            [program, "--config", fleet, "--node", node, "--control", self.control_path, *args],
            directory / f"{node}.log",
            env=env,
        )
        if wait:
            self.wait_serving()

    def status(self):
        return control(self.control_path, "status")

    def _status_or_none(self):
        if not self.running():
            raise AssertionError(f"{self.argv[0]} ended while starting:\n{self.log()[-4000:]}")
        try:
            return self.status()
        except (OSError, ValueError):
            return None

    def wait_serving(self):
        wait_for(
            lambda: (s := self._status_or_none()) and s["state"] == "serving",
            f"{self.argv[0]} {self.node} to serve",
        )
        return self

    def counters(self):
        return self.status()["counters"]

    def addresses(self):
        """Bound listeners as (ip, port)."""
        result = []
        for listener in self.status()["listeners"]:
            # An edge says of each whether it speaks TLS.
            text = listener["address"] if isinstance(listener, dict) else listener
            host, _, port = text.rpartition(":")
            result.append((host.strip("[]"), int(port)))
        return result

    def reload(self):
        self.send_signal(signal.SIGHUP)


def openssl(*args, **kwargs):
    return subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True, **kwargs)


class Authority:
    """A certificate authority made on the spot, for certificates that clients really verify."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.certificate = self.directory / "ca.pem"
        self.key = self.directory / "ca.key"
        openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", self.key, "-out", self.certificate, "-days", "30",
            "-subj", "/CN=Perigee demo authority",
            "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        )

    def issue(self, name, hosts, kind="ecdsa", days=30):
        """Certificate with chain, and key: (path, path)."""
        key, request, leaf, chain, ext = (
            self.directory / f"{name}.{s}" for s in ("key", "csr", "crt", "pem", "ext")
        )
        new = (
            ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
            if kind == "ecdsa"
            else ["-newkey", "rsa:2048"]
        )
        openssl("req", *new, "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={hosts[0]}")
        alt = ",".join(("IP:" if re.match(r"^[\d.]+$", h) else "DNS:") + h for h in hosts)
        ext.write_text(f"subjectAltName={alt}\nextendedKeyUsage=serverAuth\n")
        openssl(
            "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key,
            "-CAcreateserial", "-days", days, "-extfile", ext, "-out", leaf,
        )
        chain.write_text(leaf.read_text() + self.certificate.read_text())
        return chain, key


class Origin(Process):
    """perigee-origin: says where it is bound on its first line."""

    def __init__(self, log, args=()):
        super().__init__([ORIGIN, *args], log)
        line = wait_for(
            lambda: (m := re.search(r"^listening on (\S+)$", self.log(), re.M)) and m.group(1),
            "perigee-origin to listen",
        )
        self.address = line
        self.port = int(line.rpartition(":")[2])
