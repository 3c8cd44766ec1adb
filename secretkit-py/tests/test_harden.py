"""A hardened process, which cannot be undone: in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SCRIPT = """
import json, secretkit
before = open("/proc/self/limits").read()
measures = secretkit.harden_process()
more = b"x" * (32 << 20)
limits = [line.split()[4:6] for line in open("/proc/self/limits") if line.startswith("Max core file size")]
locked = [int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmLck:")]
print(json.dumps([measures, limits[0], locked[0], len(more)]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
def test_it_does_what_it_says() -> None:
    """The kernel's own files show the limit and the locked memory."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=True, text=True)
    measures, limits, locked, length = json.loads(done.stdout)
    assert list(measures) == ["no_core_dumps", "untraceable", "locked_memory"]
    assert measures["no_core_dumps"] == measures["untraceable"] == "done"
    assert limits == ["0", "0"]
    assert length == 32 << 20
    if measures["locked_memory"] == "done":
        assert locked > 32 << 10
    else:
        assert locked == 0
        assert "RLIMIT_MEMLOCK" in measures["locked_memory"]
