"""Files in and out: the formats are tested in Rust; here it is that Python reaches them, and gives nothing away."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import secretkit
from places import Places
from secretkit.exceptions import AlreadyExists, Inactive, InvalidInput, NotFound, TooLarge, Undeliverable, Usage

CANARY = "cAnArY-7fZq"


@pytest.fixture
def secrets() -> secretkit.Secrets:
    return secretkit.Secrets.in_memory(org="acme", project="etl")


def test_a_file_goes_in_all_or_nothing(secrets: secretkit.Secrets, tmp_path: Path) -> None:
    file = tmp_path / "prod.env"
    file.write_text(f"A={CANARY}\nB={CANARY}\n")
    planned = secrets.import_file(file, dry_run=True)
    assert (planned.created, planned.updated, secrets.list()) == (["acme/etl:A", "acme/etl:B"], [], [])
    assert repr(planned) == "Imported(created=2, updated=0)"
    done = secrets.import_file(str(file))
    assert (done.created, done.updated) == (planned.created, planned.updated)
    assert secrets.get("A").text() == CANARY
    file.write_text(f"A=1\nB=2\nC={CANARY}\n")
    for dry_run in (True, False):
        with pytest.raises(AlreadyExists, match="acme/etl:A.*acme/etl:B"):
            secrets.import_file(file, dry_run=dry_run)
    assert [info.revision for info in secrets.list()] == [1, 1]
    again = secrets.import_file(file, "dotenv", overwrite=True)
    assert (again.created, again.updated) == (["acme/etl:C"], ["acme/etl:A", "acme/etl:B"])
    assert secrets.get("A").text() == "1"


def test_what_comes_out_goes_in_again(secrets: secretkit.Secrets, tmp_path: Path) -> None:
    value = bytes(range(256))
    secrets.create("db/password", value)
    secrets.create("token", "t0k3n")
    for name, format in (("all.json", None), ("mount", "directory")):
        path = tmp_path / name
        assert secrets.export_file(path, format) == ["acme/etl:token", "acme/etl:db/password"]
        assert path.stat().st_mode & 0o777 == (0o700 if format else 0o600)
        other = secretkit.Secrets.in_memory()
        assert other.import_file(path, format).created
        assert other.get("db/password").bytes() == value
        with pytest.raises(Undeliverable):
            secrets.export_file(path, format)
        secrets.export_file(path, format, overwrite=True)
    assert secrets.info("token").last_used_at is None, "uses are recorded in passing"
    secrets.record_uses()
    assert secrets.info("token").last_used_at


def test_which_secrets_come_out(secrets: secretkit.Secrets, tmp_path: Path) -> None:
    secrets.create("a", "1")
    secrets.create("b", "2")
    secrets.create("acme:c", "3")
    path = tmp_path / "out.json"

    def exported(**options: object) -> dict[str, str]:
        secrets.export_file(path, overwrite=True, **options)  # type: ignore[arg-type]
        found: dict[str, str] = json.loads(path.read_text())
        return found

    assert exported() == {"a": "1", "b": "2"}
    assert exported(names=["b"]) == {"b": "2"}
    assert exported(effective=True) == {"a": "1", "b": "2", "c": "3"}
    with pytest.raises(NotFound, match="x.*y"):
        exported(names=["x", "a", "y"])
    with pytest.raises(TypeError):
        exported(names="a")
    secrets.edit("b", active=False)
    with pytest.raises(Inactive, match="acme/etl:b"):
        exported()
    assert exported(skip_unavailable=True) == {"a": "1"}


def test_bad_files_are_not_quoted(secrets: secretkit.Secrets, tmp_path: Path) -> None:
    path = tmp_path / "in.json"
    for text in (f'{{"a": "{CANARY}", "a": "{CANARY}"}}', f'["{CANARY}"]', f'{{"{CANARY}": 1}}', CANARY):
        path.write_text(text)
        with pytest.raises(InvalidInput) as raised:
            secrets.import_file(path)
        assert CANARY not in f"{raised.value!r} {raised.value}"
    path.write_text(json.dumps({"LONG": CANARY * 10_000}))
    with pytest.raises(TooLarge, match="LONG"):
        secrets.import_file(path)
    with pytest.raises(Usage, match='"dotenv", "json", "nextflow", "directory"'):
        secrets.import_file(tmp_path / "in.txt")
    with pytest.raises(Usage) as raised_usage:
        secrets.import_file(path, CANARY)
    assert CANARY not in str(raised_usage.value)
    with pytest.raises(secretkit.exceptions.FileMissing):
        secrets.import_file("-", "json")
    assert secrets.list() == []


def test_nothing_is_made_for_nothing(places: Places, tmp_path: Path) -> None:
    secrets = secretkit.open(**places)
    file = tmp_path / "new.env"
    file.write_text("A=1\n")
    assert secrets.import_file(file, dry_run=True).created == ["default:A"]
    (tmp_path / "none.env").write_text("# nothing\n")
    assert repr(secrets.import_file(tmp_path / "none.env")) == "Imported(created=0, updated=0)"
    assert not (tmp_path / "store").exists()
    assert secrets.import_file(file).created == ["default:A"]
    assert (tmp_path / "store" / "secrets.db").exists()
