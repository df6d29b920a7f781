# SPDX-License-Identifier: GPL-3.0-or-later
"""A test that hangs is ended and named, with what it has started and nothing else."""

import os
import signal
import subprocess
import sys

import pytest

import perigee

DRIVER = perigee.SOURCE / "tests" / "suite" / "driver"


def drive(directory, script, limit, **more):
    """The driver, started; it writes test.log and test.trs."""
    (directory / "script").write_text(f"#!/bin/sh\n{script}\n")
    (directory / "script").chmod(0o755)
    return subprocess.Popen(
        [sys.executable, DRIVER, "--test-name", "tests/some", "--log-file", "test.log", "--trs-file",
         "test.trs", "--color-tests", "no", "--expect-failure", "no", "--enable-hard-errors", "yes",
         "--limit", str(limit), "--", "./script"],
        cwd=directory, stdout=subprocess.PIPE, text=True, **more)


def result(directory, driver):
    """(what the console shows, result, log)"""
    shown, _ = driver.communicate(timeout=perigee.PATIENCE)
    assert driver.returncode == 0
    trs = dict(line[1:].split(": ") for line in (directory / "test.trs").read_text().splitlines())
    return shown.strip(), trs["global-test-result"], (directory / "test.log").read_text()


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("status, expected", [(0, "PASS"), (1, "FAIL"), (77, "SKIP"), (99, "ERROR")])
def test_the_driver_tells_results_apart(tmp_path, status, expected):
    shown, told, log = result(tmp_path, drive(tmp_path, f"echo words; exit {status}", 60))
    assert (shown, told) == (f"{expected}: tests/some", expected)
    assert log.startswith("words\n") and f"(exit status: {status}, " in log


def test_a_crash_is_told_by_its_signal(tmp_path):
    shown, told, _ = result(tmp_path, drive(tmp_path, "kill -SEGV $$", 60))
    assert (shown, told) == ("FAIL: tests/some (SIGSEGV)", "FAIL")


def test_a_test_that_hangs_is_ended_with_its_own(tmp_path):
    other = subprocess.Popen(["sleep", "600"])
    try:
        shown, told, log = result(
            tmp_path, drive(tmp_path, "sleep 600 & echo $! > pid; echo words; wait", 0.5))
        assert (shown, told) == ("FAIL: tests/some (timed out after 0.5 s)", "FAIL")
        assert "words" in log and "timed out after 0.5 s" in log
        pid = int((tmp_path / "pid").read_text())
        perigee.wait_for(lambda: not is_running(pid), "what the test had started to be gone")
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_what_a_test_leaves_behind_is_ended(tmp_path):
    result(tmp_path, drive(tmp_path, "sleep 600 > /dev/null 2>&1 & echo $! > pid", 60))
    pid = int((tmp_path / "pid").read_text())
    perigee.wait_for(lambda: not is_running(pid), "what the test had started to be gone")


def test_a_test_that_is_broken_off_has_no_result(tmp_path):
    # Its pid comes by way of a rename: half a number is another one.
    driver = drive(tmp_path, "echo $$ > part; mv part pid; sleep 600", 60)
    pid = int(perigee.wait_for(lambda: (p := tmp_path / "pid").exists() and p.read_text(), "a pid"))
    driver.send_signal(signal.SIGTERM)
    driver.communicate(timeout=perigee.PATIENCE)
    assert driver.returncode == 128 + signal.SIGTERM
    assert not is_running(pid)
    assert not list(tmp_path.glob("test.*"))


CASES = """import time

def test_that_hangs():
    time.sleep(600)

def test_that_follows():
    pass
"""


def test_a_case_that_hangs_fails_and_the_others_go_on(tmp_path):
    (tmp_path / "test_cases.py").write_text(CASES)
    (tmp_path / "conftest.py").symlink_to(perigee.SOURCE / "tests" / "scenario" / "conftest.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-ra", tmp_path],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=perigee.PATIENCE * 2,
        env={**os.environ, "PERIGEE_TEST_LIMIT": "2", "PYTHONPATH": str(
            perigee.SOURCE / "tests" / "support")})
    assert done.returncode == 1, done.stdout + done.stderr
    assert "timed out after 0.5 s" in done.stdout and "time.sleep(600)" in done.stdout
    assert "1 failed, 1 passed in" in done.stdout
