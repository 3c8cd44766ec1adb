"""The console script answers the scripts of the shells as the binary does."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

from places import Places
from secretkit import Secrets

SCRIPT = str(Path(sysconfig.get_path("scripts")) / "secretkit")


def complete(environment: dict[str, str], *words: str) -> list[str]:
    typed = "".join(f"{word}\0" for word in words).encode()
    done = subprocess.run([SCRIPT, "complete"], input=typed, env=environment, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    return [line.split("\t")[0] for line in done.stdout.decode().splitlines()]


def test_names_and_commands_are_offered(places: Places, secrets: Secrets) -> None:
    environment = {**os.environ, "SECRETKIT_STORE": places["store"], "SECRETKIT_KEY": places["key"]}
    secrets.create("token", "t0k3n")
    assert complete(environment, "show", "to") == ["words", "token"]
    assert complete(environment, "rev") == ["words", "reveal"]
    assert complete({**environment, "SECRETKIT_KEY": "env:NOT_SET_ANYWHERE"}, "show", "") == []


def test_the_scripts_are_printed() -> None:
    for shell in ["bash", "zsh", "fish"]:
        done = subprocess.run([sys.executable, "-m", "secretkit", "completions", shell], capture_output=True)
        assert done.returncode == 0 and b"command secretkit complete 2>/dev/null" in done.stdout
