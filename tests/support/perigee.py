# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scenarios, the demo and the bench share: real processes, waited for by condition.

Every process that is started here is ended here, by its own pid; a sanitizer's complaint or an
unexpected exit code fails whoever stops it.
"""

import json
import os
import re
import resource
import signal
import socket
import subprocess
import time
from pathlib import Path

BUILD = Path(os.environ.get("PERIGEE_BUILD", ".")).resolve()
SOURCE = Path(os.environ.get("PERIGEE_SRC", Path(__file__).resolve().parents[2])).resolve()

EDGE = BUILD / "edge" / "perigee-edge"
DNS = BUILD / "dns" / "perigee-dns"
KEYS = BUILD / "edge" / "keys" / "server" / "perigee-keys"
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


def sanitized():
    """Whether the programs carry a sanitizer, whose memory and time say nothing about ours."""
    program = EDGE.read_bytes()
    return b"__asan_init" in program or b"__tsan_init" in program


def set_sanitizer_options():
    """For what this process starts: one report per problem, and a failing exit code."""
    os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0")
    os.environ.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")
    suppressions = SOURCE / "tests" / "support" / "tsan.supp"
    os.environ.setdefault("TSAN_OPTIONS", f"suppressions={suppressions}")


def allow_open_files(n):
    """For this process and what it starts; whether it may have so many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < n:
        return False
    if soft != resource.RLIM_INFINITY and soft < n:
        resource.setrlimit(resource.RLIMIT_NOFILE, (n, hard))
    return True


def control(path, line):
    """One command to a control socket: its result, or the object that says why there is none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(PATIENCE)
        s.connect(str(path))
        s.sendall(line.encode() + b"\n")
        data = b""
        while chunk := s.recv(65536):
            data += chunk
    last = json.loads(data.splitlines()[-1])
    return last["result"] if "result" in last else last


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

    def wait_log(self, pattern):
        """Its log is written by a thread of its own: a moment after what it tells of."""
        wait_for(lambda: re.search(pattern, self.log(), re.M), f"{pattern} in:\n{self.log()[-2000:]}")

    def running(self):
        return self.child.poll() is None

    def cpu_seconds(self):
        """User and system time of all its threads so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self):
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

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
    """perigee-edge, perigee-dns or perigee-keys, with its control socket."""

    def __init__(self, program, fleet, node, directory, args=(), env=None, wait=True, inside=()):
        """`inside`: the words before the command line, of a program that runs it somewhere."""
        directory = Path(directory)
        self.node = node
        self.control_path = directory / f"{node}.sock"
        super().__init__(
            [*inside, program, "--config", fleet, "--node", node, "--control", self.control_path,
             *args],
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
            text = listener if isinstance(listener, str) else listener["address"]
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

    def issue(self, name, hosts, kind="ecdsa", days=30, usage="serverAuth", curve="P-256"):
        """Certificate with chain, and key: (path, path). curve: of an ECDSA key."""
        key, request, leaf, chain, ext = (
            self.directory / f"{name}.{s}" for s in ("key", "csr", "crt", "pem", "ext")
        )
        new = (
            ["-newkey", "ec", "-pkeyopt", f"ec_paramgen_curve:{curve}"]
            if kind == "ecdsa"
            else ["-newkey", "rsa:2048"]
        )
        openssl("req", *new, "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={hosts[0]}")
        alt = ",".join(("IP:" if re.match(r"^[\d.]+$", h) else "DNS:") + h for h in hosts)
        ext.write_text(f"subjectAltName={alt}\nextendedKeyUsage={usage}\n")
        openssl(
            "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key,
            "-CAcreateserial", "-days", days, "-extfile", ext, "-out", leaf,
        )
        chain.write_text(leaf.read_text() + self.certificate.read_text())
        return chain, key

    def issue_expired(self, name, host):
        """One whose time was over long ago; by certtool, since openssl does not go back in time."""
        key, leaf, template = (self.directory / f"{name}.{s}" for s in ("key", "pem", "cfg"))
        template.write_text(f'cn = "{host}"\ndns_name = "{host}"\ntls_www_server\nsigning_key\n'
                            'activation_date = "2020-01-01 00:00:00"\n'
                            'expiration_date = "2020-02-01 00:00:00"\n')
        for command in (
            ["--generate-privkey", "--key-type", "ecdsa", "--curve", "secp256r1", "--outfile", key],
            ["--generate-certificate", "--load-privkey", key, "--load-ca-certificate",
             self.certificate, "--load-ca-privkey", self.key, "--template", template,
             "--outfile", leaf],
        ):
            subprocess.run(["certtool", *map(str, command)], check=True, capture_output=True)
        return leaf, key


class Origin(Process):
    """perigee-origin: says where it is bound on its first line."""

    def __init__(self, log, args=(), inside=()):
        super().__init__([*inside, ORIGIN, *args], log)
        line = wait_for(
            lambda: (m := re.search(r"^listening on (\S+)$", self.log(), re.M)) and m.group(1),
            "perigee-origin to listen",
        )
        self.address = line
        self.port = int(line.rpartition(":")[2])
