"""An old copy of a store in its place: refused where an anchor is named, and taken where none is."""

import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import secretkit
from places import Places
from secretkit.exceptions import AnchorWarning, RolledBack, SecretError, Usage


def write(places: Places, anchor: Path, value: str) -> None:
    """Writes in a process of its own, so that nobody has the store open while its file is copied."""
    program = """
        import sys, secretkit
        store, key, anchor, value = sys.argv[1:]
        secretkit.open(store, key, anchor=anchor).put("acme:token", value)
    """
    arguments = [places["store"], places["key"], str(anchor), value]
    subprocess.run([sys.executable, "-c", textwrap.dedent(program), *arguments], check=True)


@pytest.fixture
def anchor(places: Places, tmp_path: Path) -> Path:
    """The anchor of a store that was put back to where it was before its last write."""
    anchor = tmp_path / "elsewhere" / "anchor"
    anchor.parent.mkdir()
    path = Path(places["store"].removeprefix("sqlite:"))
    write(places, anchor, "old")
    shutil.copy(path, tmp_path / "yesterday.db")
    write(places, anchor, "new")
    shutil.copy(tmp_path / "yesterday.db", path)
    return anchor


def test_an_old_copy_is_refused(places: Places, anchor: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = secretkit.open(**places, anchor=anchor)
    with pytest.raises(RolledBack) as caught:
        secrets.get("acme:token")
    assert caught.value.kind == "rolled_back"
    with pytest.raises(RolledBack):
        secrets.put("acme:token", "newest")
    with pytest.raises(RolledBack):
        secretkit.open(**places, anchor=anchor, org="acme").list()
    secretkit.configure(**places, anchor=str(anchor), org="acme")
    with pytest.raises(RolledBack):
        secretkit.current_context().secrets.get("token")
    secretkit.configure(**places, org="acme")
    assert secretkit.current_context().secrets.get("token") == "old"
    with secretkit.context(**places, anchor=anchor, org="acme"), pytest.raises(RolledBack):
        secretkit.current_context().secrets.get("token")
    monkeypatch.setenv("SECRETKIT_ANCHOR", str(anchor))
    with pytest.raises(RolledBack):
        secretkit.open(**places).get("acme:token")


def test_an_old_copy_is_taken_where_no_anchor_is(places: Places, anchor: Path) -> None:
    assert secretkit.open(**places).get("acme:token").text() == "old"


def test_an_anchor_that_cannot_be_written_is_a_warning(places: Places, tmp_path: Path) -> None:
    lost = tmp_path / "unmounted" / "anchor"
    secrets = secretkit.open(**places, anchor=lost)
    with pytest.warns(AnchorWarning, match="unmounted") as told:
        secrets.put("acme:token", "one")
        secrets.put("acme:token", "two")
        assert secrets.get("acme:token").text() == "two"
    assert len(told) == 1 and told[0].filename == __file__
    # Where somebody made errors of warnings, the write is no error all the same.
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert secretkit.open(**places, anchor=lost).put("acme:token", "three").revision == 3
    lost.parent.mkdir()
    secrets.put("acme:token", "four")
    with pytest.warns(AnchorWarning):
        shutil.rmtree(lost.parent)
        secrets.put("acme:token", "five")


def test_what_is_no_anchor_of_this_store_is_refused(places: Places, tmp_path: Path) -> None:
    with pytest.raises(Usage, match="no path"):
        secretkit.open(**places, anchor="")
    other = tmp_path / "other"
    other.write_text("no anchor\n")
    with pytest.raises(SecretError, match="anchor"):
        secretkit.open(**places, anchor=other).create("acme:a", "x")
    with pytest.raises(Usage, match="anchor"), secretkit.context(secrets=secretkit.open("memory:"), anchor=other):
        pass
