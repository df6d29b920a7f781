# SPDX-License-Identifier: GPL-3.0-or-later
"""What was skipped is told, and why; what was missing when configure ran is found when it has come."""

import os
import shutil
import subprocess

import pytest

import perigee

SUMMARY = perigee.SOURCE / "tests" / "suite" / "summary"

CMOCKA = """[==========] Running 3 test(s).
[ RUN      ] test_one
[       OK ] test_one
[ RUN      ] test_two
/usr/share/GeoIP2-City-Test.mmdb is not here
skipped: needs a database
[  SKIPPED ] test_two
[ RUN      ] test_three
[  SKIPPED ] test_three
[==========] 3 test(s) run.
[  PASSED  ] 1 test(s).
[  SKIPPED ] 2 test(s), listed below:
[  SKIPPED ] test_two
[  SKIPPED ] test_three

 2 SKIPPED TEST(S)
"""
PYTEST = """..sss                                                                [100%]
=========================== short test summary info ============================
SKIPPED [2] ../tests/scenario/test_x.py:26: needs a database
SKIPPED [1] ../tests/scenario/test_x.py:31: could not import 'h2': No module named 'h2'
2 passed, 3 skipped in 0.31s
"""
WHOLE_FILE = """=========================== short test summary info ============================
SKIPPED [1] ../tests/scenario/test_y.py:12: apt-get install python3-jsonschema
1 skipped in 0.05s
"""


def summary(directory, logs):
    """logs: {name: (result, text)}; the lines of the summary."""
    for name, (result, text) in logs.items():
        (directory / f"{name}.log").write_text(f"{text}{result} {name} (exit status: 0)\n")
        (directory / f"{name}.trs").write_text(f":test-result: {result}\n")
    done = subprocess.run(["/usr/bin/python3", SUMMARY, *(f"{n}.log" for n in logs)], cwd=directory,
                          capture_output=True, text=True, check=True)
    return [line.removeprefix("==").strip() for line in done.stdout.splitlines()]


def test_cases_that_skip_themselves_are_counted_by_reason(tmp_path):
    assert summary(tmp_path, {"unit": ("PASS", CMOCKA), "scenario": ("PASS", PYTEST)}) == [
        "passed: 2 tests; 3 cases in the tests that count theirs",
        "skipped: 5 cases and 0 whole tests",
        "3 needs a database",
        "unit: 1",
        "scenario: 2",
        "1 could not import 'h2': No module named 'h2'",
        "scenario: 1",
        "1 gave no reason",
        "unit: 1",
    ]


@pytest.mark.parametrize("text, why", [
    ("skipped: apt-get install mandoc\n", "apt-get install mandoc"),
    ("visits skipped: configured without libssl\n", "configured without libssl"),
    (WHOLE_FILE, "apt-get install python3-jsonschema"),
    ("", "gave no reason"),
])
def test_a_test_that_skips_itself_says_why(tmp_path, text, why):
    assert summary(tmp_path, {"whole": ("SKIP", text)}) == [
        "passed: 0 tests; 0 cases in the tests that count theirs",
        "skipped: 0 cases and 1 whole test",
        f"1 {why}",
        "whole: all",
    ]


def test_failures_and_what_did_not_run_are_named(tmp_path):
    assert summary(tmp_path, {"slow": ("FAIL (timed out after 900 s)", "")})[-1] == (
        "FAIL: slow (timed out after 900 s)")
    (tmp_path / "slow.trs").unlink()
    (tmp_path / "slow.log").unlink()
    done = subprocess.run(["/usr/bin/python3", SUMMARY, "slow.log"], cwd=tmp_path,
                          capture_output=True, text=True, check=True)
    assert done.stdout.endswith("== NOT RUN: slow\n")


def test_a_file_whose_cases_are_all_skipped_is_skipped(tmp_path):
    """Not failed, which is what pytest says of a file without a case."""
    (tmp_path / "test_none.py").write_text(
        "import pytest\npytest.importorskip('nothing_of_that_name', reason='nothing is missing')\n")
    done = subprocess.run(["sh", perigee.SOURCE / "tests" / "scenario" / "run",
                           tmp_path / "test_none.py"], cwd=tmp_path, capture_output=True, text=True,
                          env={**os.environ, "srcdir": str(perigee.SOURCE)}, check=False)
    assert done.returncode == 77, done.stdout + done.stderr
    assert "nothing is missing" in done.stdout


class FreshMachine:
    """A checkout with ./bootstrap in it, and what it calls made up: packages, configure, make."""

    def __init__(self, directory):
        self.root = directory / "checkout"
        self.commands = directory / "bin"
        self.packages = directory / "packages"
        self.configured = directory / "configured"
        self.root.mkdir()
        self.commands.mkdir()
        self.configured.write_text("")
        shutil.copy(perigee.SOURCE / "bootstrap", self.root)
        (self.root / "configure.ac").write_text("")
        (self.root / "Makefile.in").write_text("")
        self.script(self.root / "configure", f"echo \"$*\" >> {self.configured}; touch Makefile")
        # Also what is not in the list: every one that is needed to build is there.
        self.script(self.commands / "dpkg-query",
                    'while [ $# -gt 1 ] && [ "$1" != -f ]; do shift; done; format=$2; shift 2\n'
                    'case $format in *Version*) ;; *) printf installed; exit 0 ;; esac\n'
                    'for p in "$@"; do\n'
                    f'sed -n "s/^$p /installed $p /p" {self.packages}\ndone')
        self.script(self.commands / "make", "exit 0")
        self.install("libevent-dev 2.1.12")

    @staticmethod
    def script(path, text):
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def install(self, *packages):
        self.packages.write_text("".join(f"{p}\n" for p in packages))

    def bootstrap(self, *arguments, **env):
        path = f"{self.commands}:{os.environ['PATH']}"
        without = {"CC": "", "CFLAGS": "", "CPPFLAGS": "", "LDFLAGS": "", "CI": ""}
        return subprocess.run([self.root / "bootstrap", *arguments], text=True, check=False,
                              capture_output=True, env={**os.environ, **without, "PATH": path, **env})

    def build(self, *arguments, **env):
        """The command lines of configure so far."""
        done = self.bootstrap("build", *arguments, **env)
        assert done.returncode == 0, done.stdout + done.stderr
        return self.configured.read_text().splitlines()


def test_packages_that_have_come_are_configured_for(tmp_path):
    machine = FreshMachine(tmp_path)
    assert machine.build() == [""]
    assert machine.build() == [""], "nothing has changed"
    machine.install("libevent-dev 2.1.12", "libssl-dev 3.0.17")
    assert machine.build() == [""] * 2, "libssl-dev was installed"
    machine.install("libevent-dev 2.1.12", "libssl-dev 3.0.18")
    assert machine.build() == [""] * 3, "libssl-dev is another one"
    assert machine.build() == [""] * 3
    machine.install("libevent-dev 2.1.12")
    assert machine.build() == [""] * 4, "libssl-dev was removed"


def test_other_arguments_are_configured_for(tmp_path):
    machine = FreshMachine(tmp_path)
    assert machine.build("--enable-werror") == ["--enable-werror"]
    assert machine.build("--enable-werror") == ["--enable-werror"]
    assert machine.build("CC=clang") == ["--enable-werror", "CC=clang"]
    assert machine.build() == ["--enable-werror", "CC=clang", ""]


def test_another_compiler_is_configured_for(tmp_path):
    """Only that of the command line was, not that of the environment."""
    machine = FreshMachine(tmp_path)
    assert machine.build() == [""]
    assert machine.build(CC="clang") == [""] * 2
    assert machine.build(CC="clang") == [""] * 2
    assert machine.build(CC="clang", CFLAGS="-O0") == [""] * 3
    assert machine.build() == [""] * 4


def test_a_package_that_apt_does_not_know_is_named(tmp_path):
    machine = FreshMachine(tmp_path)
    # Nothing is installed, and nothing of the real machine is touched.
    machine.script(machine.commands / "dpkg-query", "exit 1")
    machine.script(machine.commands / "id", "echo 0")
    machine.script(machine.commands / "apt-cache", '[ "$2" != libyaml-dev ]')
    machine.script(machine.commands / "apt-get", f"echo \"$*\" >> {tmp_path}/apt")
    machine.script(machine.commands / "tee", "exec cat > /dev/null")
    for name in ("chmod", "rm"):
        machine.script(machine.commands / name, "exit 0")
    done = machine.bootstrap("build")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "apt does not know it, it stays missing: libyaml-dev" in done.stdout
    installed = (tmp_path / "apt").read_text().splitlines()[-1].split()
    assert "libjansson-dev" in installed and "libyaml-dev" not in installed


def test_the_suites_failure_is_that_of_bootstrap(tmp_path):
    machine = FreshMachine(tmp_path)
    machine.script(machine.commands / "make", 'case "$*" in *check*) exit 2 ;; esac')
    assert machine.bootstrap("check").returncode == 2
    assert machine.bootstrap("build").returncode == 0
