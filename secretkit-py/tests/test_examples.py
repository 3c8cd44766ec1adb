"""The programs under `examples/python` run."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import secretkit
from places import Places
from secretkit import Secrets
from secretkit.exceptions import NotFound

EXAMPLES = Path(__file__).parents[2] / "examples" / "python"


@pytest.fixture
def environment(places: Places, mounts: Path) -> dict[str, str]:
    names = {"SECRETKIT_STORE": places["store"], "SECRETKIT_KEY": places["key"], "XDG_RUNTIME_DIR": str(mounts)}
    return {**os.environ, **names, "SECRETKIT_PROJECT": "my_project", "SECRETKIT_DOMAIN": "development"}


def run(example: str, environment: dict[str, str], directory: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLES / example)]
    return subprocess.run(command, env=environment, cwd=directory, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("example", "name", "says"),
    [
        ("using_secrets.py", "my_secret", ["t1 got my_secret, which has 7 characters"]),
        ("using_secrets_env.py", "my_api_key", ["t1 got MY_API_KEY, which has 7", "after t1, MY_API_KEY is gone"]),
        ("using_secrets_file.py", "my_file_secret", ["which has 7 characters", "after t1, the file is gone"]),
    ],
)
def test_the_seeds(example: str, name: str, says: list[str], environment: dict[str, str], secrets: Secrets) -> None:
    secrets.create("other", "o")
    done = run(example, environment)
    assert done.returncode == 1 and f"not found: {name}" in done.stderr
    assert "default/my_project/development, default/my_project" in done.stderr
    secrets.create(name, "hunter2")
    done = run(example, environment)
    assert (done.returncode, done.stderr) == (0, "")
    for words in says:
        assert words in done.stdout
    assert "hunter2" not in done.stdout


def test_own_api_keys(tmp_path: Path, environment: dict[str, str]) -> None:
    for _ in range(2):
        done = run("own_api_keys.py", environment, tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert "a header of 34 characters" in done.stdout
    assert (tmp_path / "my-app" / "secrets.db").exists()


def test_own_api_keys_in_memory() -> None:
    api_keys = runpy.run_path(str(EXAMPLES / "own_api_keys.py"))["ApiKeys"]
    # In `main` this line is `secretkit.open("sqlite:my-app/secrets.db", key="file:my-app.key")`.
    keys = api_keys(secretkit.open("memory:"))
    with pytest.raises(NotFound):
        keys.authorization("weather")
    keys.keep("weather", "k3y")
    assert keys.authorization("weather") == "Bearer k3y"
