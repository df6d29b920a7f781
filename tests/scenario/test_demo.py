# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo of the README, as an operator sees it."""

import subprocess

import perigee


def test_demo_sees_clients_served_moved_and_moved_back():
    run = subprocess.run(
        ["/usr/bin/python3", perigee.SOURCE / "tests" / "support" / "demo.py"],
        capture_output=True, text=True, timeout=300, check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    last = run.stdout.strip().splitlines()[-1]
    assert last.startswith("seen: 9 clients served by their nearest healthy edge; fra1 stopped")
