"""What every test stands on: no setting of the machine's own, and none that another test left."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import secretkit
from leaks import errors_made, pytest_runtest_makereport
from places import Places
from secretkit import Secrets

__all__ = ["errors_made", "pytest_runtest_makereport"]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in list(os.environ):
        if name.startswith(("SECRETKIT_", "_FSEC_")):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    secretkit.configure()
    yield
    secretkit.configure()


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A store and a root key of this test's own, as `configure` and the command take them."""
    key = tmp_path / "root.key"
    secretkit.create_root_key(key)
    return {"store": f"sqlite:{tmp_path / 'store' / 'secrets.db'}", "key": f"file:{key}"}


@pytest.fixture
def secrets(places: Places) -> Secrets:
    """An SQLite store that tasks read from, too."""
    secretkit.configure(**places)
    return secretkit.open(**places)


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    """Where tasks put their files, to see what is left of them."""
    base = tmp_path / "mounts"
    base.mkdir()
    return base


def left_in(base: Path) -> list[str]:
    """The task directories under a mount base."""
    return [path.name for path in base.glob("secretkit-*/task-*")]
