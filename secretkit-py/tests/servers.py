"""Real PostgreSQL servers, which the test kit of the Rust tests starts: see CONTRIBUTING.md."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_COMMAND = ["run", "--quiet", "--locked", "--package", "secretkit-test-postgres"]
# What the test kit says where there can be no server; it has printed why.
_NO_SERVER = 3
# Taken now: each test takes what is called so out of the environment.
_ENVIRONMENT = dict(os.environ)


class Server:
    """A server of the tests' own, with TLS and passwords. It is gone when this is closed or the process ends."""

    def __init__(self) -> None:
        cargo = shutil.which("cargo")
        assert cargo is not None, "PostgreSQL is started by the test kit, which cargo builds"
        self._process = subprocess.Popen(
            [cargo, *_COMMAND],
            cwd=_ROOT,
            env=_ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._first: str | None = self._line()
        if not self._first:
            code = self._process.wait()
            self.close()
            assert code == _NO_SERVER, "the test kit's server did not start"
            pytest.skip("there is no PostgreSQL for tests here, as printed before")
        self._line()

    def database(self) -> str:
        """The URL of a fresh database, for its owner, who is no superuser."""
        if self._first is not None:
            owner, self._first = self._first, None
            return owner
        owner = self._ordered("database")
        self._line()
        return owner

    def stop(self) -> None:
        """At once, as a crash of its own would: connections break."""
        self._ordered("stop")

    def start(self) -> None:
        self._ordered("start")

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process.wait()

    def _ordered(self, order: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{order}\n")
        self._process.stdin.flush()
        answer = self._line()
        assert answer, f"the server's keeper is gone, or knows no {order!r}"
        return answer

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")
