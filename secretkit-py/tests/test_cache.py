"""Sealed records that are kept in front of a store, and what another process changes."""

import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator

import pytest

import secretkit
from places import Places
from secretkit.exceptions import SecretError, Usage
from servers import Server


class Other:
    """Another process with the same store: it answers each change when it is committed."""

    def __init__(self, places: Places) -> None:
        program = """
            import sys, secretkit
            secrets = secretkit.open(*sys.argv[1:], org="acme")
            for line in sys.stdin:
                call, name, *values = line.split()
                {"put": secrets.put, "delete": secrets.delete, "edit": lambda name: secrets.edit(name, active=False)}[call](
                    name, *values
                )
                print(flush=True)
        """
        arguments = [sys.executable, "-c", textwrap.dedent(program), places["store"], places["key"]]
        self._process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def does(self, line: str) -> float:
        """When it was done."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "\n"
        return time.monotonic()

    def close(self) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        assert self._process.wait() == 0


@pytest.fixture
def on_server(places: Places) -> Iterator[Places]:
    server = Server()
    yield {**places, "store": server.database()}
    server.close()


def seen(secrets: secretkit.Secrets, name: str) -> str:
    try:
        return secrets.get(name).text()
    except SecretError as error:
        return error.kind


def until(secrets: secretkit.Secrets, name: str, expected: str, within: float, since: float) -> None:
    while (found := seen(secrets, name)) != expected:
        assert time.monotonic() < since + within, f"{found} in place of {expected}"


def test_what_another_process_commits_is_seen_within_a_second(on_server: Places) -> None:
    secrets = secretkit.open(on_server["store"], on_server["key"], org="acme", cache="10min")
    secrets.put("etl/token", "zero")
    end = time.monotonic() + 60
    while not secrets.cache_told:
        assert time.monotonic() < end
    other = Other(on_server)
    for number in range(10):
        for change, expected in [("put", f"{number}"), ("edit", "inactive"), ("delete", "not_found")]:
            value = f" {expected}" if change == "put" else ""
            done = other.does(f"{change} etl/token{value}")
            until(secrets, "etl/token", expected, 1.0, done)
    other.close()
    assert secrets.cache_stale_since is None


def test_without_notices_it_is_seen_within_the_greatest_age(places: Places) -> None:
    secrets = secretkit.open(places["store"], places["key"], org="acme", cache="1s")
    secrets.put("token", "one")
    assert (seen(secrets, "token"), secrets.cache_told) == ("one", False)
    other = Other(places)
    done = other.does("put token two")
    until(secrets, "token", "two", 2.0, done)
    other.close()


def test_a_cache_is_a_wish(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    assert secretkit.open("memory:").cache_told is None
    assert secretkit.open("memory:", cache="off").cache_told is None
    monkeypatch.setenv("SECRETKIT_CACHE", "30s")
    monkeypatch.setenv("SECRETKIT_CACHE_STALE", "5min")
    assert secretkit.open("memory:").cache_told is False
    assert secretkit.open("memory:", cache="off").cache_told is None
    with secretkit.context(store="memory:"):
        secretkit.current_context()
    for wrong in ["on", "30", "0s", ""]:
        with pytest.raises(SecretError, match="cache"):
            secretkit.open("memory:", cache=wrong)
    monkeypatch.setenv("SECRETKIT_CACHE", "5m")
    with pytest.raises(SecretError, match="SECRETKIT_CACHE:"):
        secretkit.open("memory:")
    monkeypatch.delenv("SECRETKIT_CACHE")
    with pytest.raises(SecretError, match="SECRETKIT_CACHE_STALE:"):
        secretkit.open("memory:")
    monkeypatch.setenv("SECRETKIT_CACHE_STALE", "off")
    assert secretkit.open("memory:").cache_told is None
    assert secretkit.open("memory:", cache="1s", cache_stale="off").cache_told is False
    with pytest.raises(Usage, match="cache_stale"):
        secretkit.open("memory:", cache_stale="5min")
    with pytest.raises(Usage, match="cache"), secretkit.context(secrets=secretkit.open("memory:"), cache="30s"):
        pass
