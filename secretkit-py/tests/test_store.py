"""`Secrets`: what applications and hosts keep secrets with."""

import datetime
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import secretkit
from hostile import NAMES
from leaks import Caught
from places import Places
from secretkit import SecretError, Secrets, SecretValue, _settings
from secretkit.exceptions import (
    AlreadyExists,
    Conflict,
    ExposedRootKey,
    FileIsDirectory,
    FileMissing,
    InvalidEncoding,
    InvalidMetadata,
    InvalidRequest,
    InvalidScope,
    MalformedRootKey,
    NoRootKey,
    NoStore,
    NotAStore,
    NotFound,
    TooLarge,
    Unsupported,
    WrongRootKey,
)


@pytest.fixture(params=["sqlite", "memory"])
def either(request: pytest.FixtureRequest) -> Secrets:
    if request.param == "memory":
        return secretkit.open("memory:")
    return request.getfixturevalue("secrets")  # type: ignore[no-any-return]


def test_a_life(either: Secrets) -> None:
    created = either.create("db/password", "hunter2")
    assert (created.name, created.group, created.key) == ("db/password", "db", "password")
    assert (created.address, created.scope, created.org) == ("default:db/password", "default", "default")
    assert (created.project, created.domain, created.revision, created.generation) == (None, None, 1, 1)
    with pytest.raises(AlreadyExists, match="default:db/password"):
        either.create("db/password", "other")
    assert either.get("db/password").text() == "hunter2"

    updated = either.update("db/password", b"\xff\0\n")
    assert (updated.id, updated.revision, updated.generation) == (created.id, 2, 2)
    assert updated.digest != created.digest and len(updated.digest) == 44
    assert either.get("db/password").bytes() == b"\xff\0\n"
    assert either.put("db/password", "hunter2").digest == created.digest
    assert either.verify_value("db/password", "hunter2") is True
    assert either.verify_value("db/password", "hunter3") is False

    assert either.info("db/password").revision == 3
    assert either.delete("db/password").id == created.id
    for missing in (either.get, either.info, either.delete):
        with pytest.raises(NotFound, match="db/password; searched default"):
            missing("db/password")
    with pytest.raises(NotFound):
        either.update("db/password", "x")
    assert either.put("db/password", "x").id != created.id


def test_an_update_may_demand_a_generation(either: Secrets) -> None:
    read = either.create("token", "1")
    either.update("token", "2", generation=read.generation)
    with pytest.raises(Conflict, match="expected at generation 1 and is at 2"):
        either.update("token", "3", generation=read.generation)
    assert either.get("token").text() == "2"
    for generation in (0, -1, 2**64):
        with pytest.raises(InvalidRequest, match="from 1"):
            either.update("token", "3", generation=generation)


def test_lists_without_values(either: Secrets) -> None:
    for name in ("b", "acme:elsewhere", "default/etl:a", "default/*/production:a", "default/etl/production:g/a"):
        either.create(name, "canary")
    listed = either.list()
    assert [info.address for info in listed] == [
        "default/*/production:a",
        "default/etl:a",
        "default:b",
        "default/etl/production:g/a",
    ]
    assert [info.address for info in either.list("default/etl")] == ["default/etl:a"]
    assert either.list("default/nobody") == []
    first = listed[0]
    assert (first.project, first.domain, first.scope) == (None, "production", "default/*/production")
    assert (first.active, first.expires_at, first.description, first.tags) == (True, None, None, ())
    for at in (first.created_at, first.updated_at, first.value_at):
        assert isinstance(at, datetime.datetime) and at.tzinfo is not None
        assert abs(datetime.datetime.now(datetime.timezone.utc) - at) < datetime.timedelta(minutes=1)
    assert first.created_by == first.updated_by == first.value_by
    assert "canary" not in repr(listed)
    with pytest.raises(AttributeError):
        first.name = "other"  # type: ignore[misc]
    with pytest.raises(InvalidScope):
        either.list("a/b/c/d")


@pytest.mark.parametrize("value", ["", b"", "ä", bytes(range(256)), b"line\n", bytearray(b"b"), memoryview(b"m")])
def test_keeps_every_value_exactly(either: Secrets, value: str | bytes | bytearray | memoryview) -> None:
    either.create("token", value)
    expected = value.encode() if isinstance(value, str) else bytes(value)
    assert either.get("token").bytes() == expected
    assert either.verify_value("token", SecretValue(value))


def test_refuses_what_is_no_value(either: Secrets) -> None:
    for value in (None, 5, ["hunter2"], {"hunter2": 1}, object()):
        with pytest.raises(TypeError) as raised:
            either.create("token", value)  # type: ignore[arg-type]
        assert "hunter2" not in str(raised.value)
    with pytest.raises(InvalidEncoding) as encoding:
        either.create("token", "hunter2\ud800")
    assert "hunter2" not in str(encoding.value) and encoding.value.__context__ is None
    with pytest.raises(TooLarge, match="65537 bytes, and 65536 are allowed"):
        either.create("token", "x" * 65537)
    assert either.list() == []


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_refuses_hostile_names(name: str) -> None:
    secrets = Secrets.in_memory()
    refused = [f"default:{name}", f"default:group/{name}", f"default/{name}:key", f"default/p/{name}:key"]
    # Two parts of a name may be an address, and three of a scope are one.
    if ":" not in name:
        refused += [name, f"group/{name}"]
    if name != "a/b/c":
        refused.append(f"{name}:key")
    for text in refused:
        for call in (secrets.get, secrets.info, secrets.delete, lambda text: secrets.put(text, "value")):
            with pytest.raises(SecretError) as raised:
                call(text)
            assert isinstance(raised.value, ValueError)
    assert secrets.list() == []


def test_an_actor_signs(places: Places) -> None:
    secrets = secretkit.open(**places, actor="ci@builder")
    assert secrets.create("token", "t").created_by == "ci@builder"


def test_a_scope_is_where_names_are(places: Places) -> None:
    secrets = secretkit.open(**places, org="acme", project="etl", domain="production")
    assert secrets.scope == "acme/etl/production"
    assert secrets.create("token", "t").address == "acme/etl/production:token"
    assert secretkit.open(**places, org="acme").list()[0].address == "acme/etl/production:token"
    # `get` is exact; a task resolves.
    with pytest.raises(NotFound, match="token; searched acme"):
        secretkit.open(**places, org="acme").get("token")


def test_reads_make_nothing_and_the_first_write_says_what_it_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets = secretkit.open()
    for read in (lambda: secrets.get("token"), lambda: secrets.list(), lambda: secrets.update("token", "t")):
        with pytest.raises(NoStore):
            read()
    assert list((tmp_path / "home").iterdir()) == []
    secrets.create("token", "t")
    store = tmp_path / "home/.local/share/secretkit/secrets.db"
    key = tmp_path / "home/.config/secretkit/root.key"
    assert capsys.readouterr().err == (
        f"secretkit: made the store {store}\n"
        f"secretkit: made the root key {key}; keep a copy of it, apart from the store: without it no secret opens again\n"
    )
    assert stat.S_IMODE(store.stat().st_mode) == stat.S_IMODE(key.stat().st_mode) == 0o600
    secrets.create("another", "a")
    assert capsys.readouterr().err == ""
    assert secretkit.open().get("token").text() == "t"


def test_a_store_is_where_it_was_said(places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    secrets = secretkit.open("sqlite:here/secrets.db", key_file="root.key")
    monkeypatch.chdir(tmp_path / "elsewhere")
    secrets.create("token", "t")
    assert (tmp_path / "here/secrets.db").exists()


def test_a_store_is_looked_at_from_outside(places: Places, secrets: Secrets) -> None:
    with pytest.raises(NoStore):
        secrets.examine()
    secrets.create("token", "t")
    (check,) = secrets.examine()
    assert (check.check, check.rating, check.advice) == ("file", "secure", None)
    assert repr(check) == "StoreCheck('file', 'secure')" and check.finding
    # Rows without what they belong to. By another process: Python's own SQLite would drop locks of ours.
    code = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('DELETE FROM keyring'); c.commit()"
    path = places["store"].removeprefix("sqlite:")
    subprocess.run([sys.executable, "-c", code, path], check=True)
    (found,) = secrets.examine()
    assert (found.rating, found.advice is None) == ("insecure", False) and "keyring is gone" in found.finding
    (memory,) = Secrets.in_memory({"token": "t"}).examine()
    assert (memory.check, memory.rating) == ("store", "secure")


def test_keys_and_stores_that_cannot_be(places: Places, secrets: Secrets, tmp_path: Path, errors_made: Caught) -> None:
    errors_made.in_frames = False
    secrets.create("token", "t")
    store, key = places["store"], tmp_path / "root.key"
    text = key.read_text()

    def refuse(error: type[SecretError], **given: object) -> str:
        with pytest.raises(error) as raised:
            secretkit.open(**{"store": store, **given}).create("other", "o")  # type: ignore[arg-type]
        return str(raised.value)

    other = tmp_path / "other.key"
    secretkit.create_root_key(other)
    refuse(WrongRootKey, key_file=other)
    refuse(FileMissing, key_file=tmp_path / "nowhere.key")
    refuse(FileIsDirectory, key_file=tmp_path)
    refuse(NoRootKey)
    refuse(NoRootKey, key="env:NOT_SET_IN_TEST")
    refuse(Unsupported, key="vault:x")
    assert text.strip() not in refuse(Unsupported, key=text.strip())
    assert text.strip() not in refuse(Unsupported, key_file=text.strip())
    refuse(Unsupported, store="redis://cache", key_file=key)
    assert "hunter2" not in refuse(Unsupported, store="mysql://user:hunter2@db/secrets", key_file=key)

    (tmp_path / "no.db").write_bytes(b"this is no store" * 100)
    os.chmod(tmp_path / "no.db", 0o600)
    refuse(NotAStore, store=f"sqlite:{tmp_path / 'no.db'}", key_file=key)

    other.chmod(0o644)
    refuse(ExposedRootKey, key_file=other)
    other.chmod(0o600)
    other.write_text("not a key\n")
    refuse(MalformedRootKey, key_file=other)
    assert [info.name for info in secrets.list()] == ["token"]


def test_a_root_key_is_never_written_over(tmp_path: Path) -> None:
    key = tmp_path / "keys" / "root.key"
    secretkit.create_root_key(key)
    before = key.read_bytes()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600 and len(before) == 45
    with pytest.raises(AlreadyExists, match="something stands there already"):
        secretkit.create_root_key(str(key))
    assert key.read_bytes() == before


def test_a_store_in_memory_is_its_own() -> None:
    one, other = secretkit.open("memory:"), secretkit.open("memory:")
    one.create("token", "t")
    assert other.list() == []
    with pytest.raises(TypeError):
        Secrets.in_memory({5: "v"})  # type: ignore[dict-item]
    with pytest.raises(TypeError):
        Secrets()  # type: ignore[call-arg,unused-ignore]


def test_a_write_that_nobody_hears_of_is_done_all_the_same() -> None:
    write = "import secretkit; secretkit.open().create('token', 't'); print(secretkit.open().get('token').text())"
    ended = subprocess.run(["/bin/sh", "-c", f'exec "{sys.executable}" -c "{write}" 2>&-'], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "t\n")


def test_how_long_a_value_may_be_can_be_said(places: Places, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    long = "x" * 100_000
    secrets = secretkit.open(**places, value_limit=100_000)
    secrets.create("token", long)
    with pytest.raises(TooLarge, match="100001 bytes, and 100000 are allowed"):
        secrets.put("token", long + "x")
    (tmp_path / "long.env").write_text(f"LONG={long}\n")
    assert secrets.import_file(tmp_path / "long.env").created == ["default:LONG"]
    with secretkit.context(**places, value_limit=100_000):
        assert _settings.secrets().put("token", long).revision == 2
    with pytest.raises(TooLarge):
        secretkit.open(**places).put("token", long)
    monkeypatch.setenv("SECRETKIT_VALUE_LIMIT", "100000")
    assert secretkit.open(**places).put("token", long).revision == 3
    for wrong in (0, -1, 1_048_577):
        with pytest.raises(InvalidMetadata, match="value_limit"):
            secretkit.configure(value_limit=wrong)


def test_infos_of_the_same_state_are_equal(secrets: Secrets) -> None:
    created = secrets.create("token", "t")
    assert secrets.info("token") == created == secrets.list()[0]
    secrets.get("token")
    secrets.record_uses()
    used = secrets.info("token")
    assert used.last_used_at is not None and used == created and hash(used) == hash(created)
    edited = secrets.edit("token", tags=["a"])
    assert edited != created and len({created, used, edited}) == 2
    assert created != secrets.create("other", "t") and created != "default:token"
