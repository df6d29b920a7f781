# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the scenarios. Run by `make check`, or by hand:

    PERIGEE_BUILD=build PERIGEE_SRC=. /usr/bin/python3 -m pytest tests/scenario -k NAME
"""

import contextlib
import faulthandler
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import perigee  # noqa: E402
from edge_fleet import HOST, Edge, ScriptedOrigin  # noqa: E402
from held_port import HeldPort  # noqa: E402
from relays import RelayFleet  # noqa: E402


def pytest_configure(config):
    if "PERIGEE_BUILD" not in os.environ:
        pytest.exit("PERIGEE_BUILD is not set: run `make check`", returncode=2)
    perigee.set_sanitizer_options()


@contextlib.contextmanager
def limited():
    """A case has a quarter of its file's time: it fails where it hangs, its fixtures put away what
    they have started, and the other cases go on."""
    limit = float(os.environ.get("PERIGEE_TEST_LIMIT", 0)) / 4

    def over(*_):
        faulthandler.dump_traceback()
        pytest.fail(f"timed out after {limit:g} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_setup():
    with limited():
        yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call():
    with limited():
        yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown():
    with limited():
        yield


@pytest.fixture
def processes():
    """A list: whatever is put in is stopped, last first, and must have behaved."""
    started = []
    yield started
    errors = []
    for process in reversed(started):
        try:
            if process.running():
                process.stop(expect=None if type(process) is perigee.Process else 0)
        except AssertionError as e:
            errors.append(str(e))
    assert not errors, "\n".join(errors)


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return perigee.Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def certificate(authority):
    """(certificate, key) for www.example.com, example.com and localhost."""
    return authority.issue("www", ["www.example.com", "example.com", "*.example.com", "localhost"])


@pytest.fixture(scope="session")
def both_certificates(authority):
    """Those of HOST, [(certificate, key)], with an ECDSA key and with an RSA key."""
    return [authority.issue("both-ecdsa", [HOST]), authority.issue("both-rsa", [HOST], kind="rsa")]


@pytest.fixture
def open_path():
    """A folder that others can come to: pytest's are closed to them by each run that begins
    meanwhile."""
    folder = Path(tempfile.mkdtemp(prefix="perigee-open-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def origin(processes, tmp_path):
    """The project's own origin program on a free port."""
    process = perigee.Origin(tmp_path / "origin.log")
    processes.append(process)
    return process


@pytest.fixture
def hold_port():
    """hold_port(): a HeldPort, until the test is over."""
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(contextlib.closing(HeldPort()))


@pytest.fixture
def make_edge(processes, tmp_path, authority, certificate):
    """make_edge(origins): an edge with one site; its first origin serves all paths.
    site: lines with more of the site's options."""
    def make(origins, routes=None, http="", site=(), **more):
        sites = {"www": ([HOST, "*.example.com"], [certificate],
                         routes or {"/": next(iter(origins))}, *site)}
        edge = Edge(tmp_path, authority, sites, origins, http, **more)
        processes.append(edge)
        return edge

    return make


@pytest.fixture
def scripted_origin():
    """scripted_origin(script): an origin that follows it, see ScriptedOrigin."""
    origins = []

    def make(script, **more):
        origins.append(ScriptedOrigin(script, **more))
        return origins[-1]

    yield make
    for o in origins:
        o.close()


@pytest.fixture
def scripted(make_edge, scripted_origin):
    """scripted(script): an edge in front of an origin that follows the script."""
    def make(script, more="", **kwargs):
        return make_edge({"app": scripted_origin(script).origin(more)}, **kwargs)

    return make


@pytest.fixture
def busy_clients():
    """busy_clients(edge, n, request, pipelined): so many clients that keep a worker busy until they
    are closed or the test is over; see tests/support/busy_clients.py."""
    started = []

    def make(edge, n, request, pipelined, *once):
        child = subprocess.Popen(
            [sys.executable, perigee.SOURCE / "tests" / "support" / "busy_clients.py",
             str(edge.port), str(n), edge.authority.certificate, HOST, request, str(pipelined),
             *once],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(child)
        assert child.stdout.readline() == "connected\n"

    yield make
    for child in started:
        child.stdin.close()
        child.wait(perigee.PATIENCE)
        child.stdout.close()


@pytest.fixture
def relay_fleet(tmp_path, authority, certificate):
    return RelayFleet(tmp_path, authority, certificate)


@pytest.fixture
def relay_edge(relay_fleet, processes):
    """relay_edge(node, origins, ...): see RelayFleet.edge()."""
    def make(node, origins, **more):
        edge = relay_fleet.edge(node, origins, **more)
        processes.append(edge)
        return edge

    return make
