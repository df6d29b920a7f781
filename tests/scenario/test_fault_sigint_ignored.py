# SPDX-License-Identifier: GPL-3.0-or-later
"""Started in the background, by nohup or by CI, everything finds SIGINT ignored, and ends all the
same."""

import os
import re
import signal
import subprocess
import sys

import perigee

ENVIRONMENT = {**os.environ, "PERIGEE_BUILD": str(perigee.BUILD), "PERIGEE_SRC": str(perigee.SOURCE),
               "srcdir": str(perigee.SOURCE)}


def ignore_interrupts():
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def run(*argv, env=None, **more):
    return subprocess.run(list(map(str, argv)), capture_output=True, text=True, check=False,
                          timeout=200, preexec_fn=ignore_interrupts, stdin=subprocess.DEVNULL,
                          env=env or ENVIRONMENT, **more)


def test_the_check_of_the_rig_ends():
    done = run(sys.executable, perigee.SOURCE / "tests" / "wan" / "smoke")
    # 77 where namespaces are not permitted.
    assert done.returncode in (0, 77), done.stdout + done.stderr


def test_the_demo_ends():
    done = run(sys.executable, perigee.SOURCE / "tests" / "support" / "demo.py")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_demo_that_stays_can_be_interrupted(tmp_path):
    with open(tmp_path / "out", "wb") as out:
        demo = subprocess.Popen(
            [sys.executable, perigee.SOURCE / "tests" / "support" / "demo.py", "--stay"],
            stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            preexec_fn=ignore_interrupts, env=ENVIRONMENT)
    try:
        perigee.wait_for(lambda: "stays up until Ctrl-C" in (tmp_path / "out").read_text(),
                         "the demo to stay", 100)
        demo.send_signal(signal.SIGINT)
        assert demo.wait(perigee.PATIENCE) == 0
    finally:
        if demo.poll() is None:
            demo.terminate()
            demo.wait()


def drive(tmp_path, *argv, **more):
    """As `make check` runs a test."""
    return run(sys.executable, perigee.SOURCE / "tests" / "suite" / "driver", "--test-name", "some",
               "--log-file", tmp_path / "log", "--trs-file", tmp_path / "trs", "--limit", 60, "--",
               *argv, **more)


def test_a_test_finds_the_environment_that_all_tests_find(tmp_path):
    """PERIGEE_BUILD=build, a proxy or a strict umask of the caller made many fail."""
    found = {**ENVIRONMENT, "PERIGEE_BUILD": "build", "PERIGEE_SRC": ".", "https_proxy": "http://[::]:1",
             "ALL_PROXY": "socks5://[::]:1", "PYTEST_ADDOPTS": "--nonsense", "LC_ALL": "POSIX",
             "srcdir": os.path.relpath(perigee.SOURCE, tmp_path)}
    done = drive(tmp_path, "sh", "-c", "umask; env", cwd=tmp_path, env=found, umask=0o077)
    assert done.stdout == "PASS: some\n", done.stderr
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines[0] == "0022"
    assert {f"PERIGEE_BUILD={tmp_path}", f"PERIGEE_SRC={perigee.SOURCE}", "LC_ALL=C.UTF-8"} <= set(lines)
    assert not [x for x in lines if "_proxy=" in x.lower() or x.startswith("PYTEST_ADDOPTS")]


def test_a_test_that_cannot_be_started_is_an_error(tmp_path):
    """The driver ended with a traceback, and without a result."""
    done = drive(tmp_path, tmp_path / "none")
    assert done.stdout == "ERROR: some (cannot be started: No such file or directory)\n", done.stderr


def test_a_test_finds_signals_as_in_the_foreground(tmp_path):
    done = drive(tmp_path, "grep", "^SigIgn", "/proc/self/status")
    assert done.stdout == "PASS: some\n"
    ignored = int(re.search(r"^SigIgn:\s+(\S+)", (tmp_path / "log").read_text()).group(1), 16)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        assert not ignored & 1 << number - 1, number.name
