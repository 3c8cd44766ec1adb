"""Root keys of other kinds than a file, those of before and those of single orgs."""

from pathlib import Path

import pytest

import secretkit
from leaks import Caught
from secretkit.exceptions import NoRootKey, RootKeyUnavailable, SecretError, Unsupported, Usage, WrongRootKey


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"sqlite:{tmp_path / 'keys.db'}"


def key(folder: Path, name: str) -> str:
    path = folder / name
    if not path.exists():
        secretkit.create_root_key(path)
    return f"file:{path}"


def passphrase(folder: Path, text: str) -> str:
    path = folder / "passphrase"
    path.touch(0o600)
    path.write_text(text)
    return f"passphrase:file:{path}"


def test_a_command_and_the_file_that_it_prints_are_one_key(tmp_path: Path, store: str) -> None:
    url = key(tmp_path, "root.key")
    secretkit.open(store, f"exec:cat {tmp_path / 'root.key'}").create("acme:a", "hunter2")
    assert secretkit.open(store, url).get("acme:a").text() == "hunter2"
    with pytest.raises(RootKeyUnavailable, match="exit code 1"):
        secretkit.open(store, "exec:false")


def test_a_passphrase_opens_with_itself_alone(tmp_path: Path, store: str) -> None:
    secretkit.open(store, passphrase(tmp_path, "correct horse\n")).create("acme:a", "hunter2")
    assert secretkit.open(store, passphrase(tmp_path, "correct horse")).get("acme:a").text() == "hunter2"
    with pytest.raises(WrongRootKey, match="altered") as caught:
        secretkit.open(store, passphrase(tmp_path, "battery staple")).get("acme:a")
    assert "battery" not in str(caught.value)
    # Python asks nobody.
    with pytest.raises(NoRootKey, match="asks nobody"):
        secretkit.open(store, "passphrase:").get("acme:a")


def test_a_previous_key_opens_what_it_wrapped(
    tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = key(tmp_path, "old.key"), key(tmp_path, "new.key")
    secretkit.open(store, old).create("acme:a", "hunter2")
    with pytest.raises(WrongRootKey):
        secretkit.open(store, new).get("acme:a")
    assert secretkit.open(store, new, previous_keys=[old]).get("acme:a").text() == "hunter2"
    secretkit.configure(store=store, key=new, previous_keys=[old], org="acme")
    assert secretkit.current_context().secrets.get("a") == "hunter2"
    with secretkit.context(store=store, key=new, previous_keys=(old,), org="acme"):
        assert secretkit.current_context().secrets.get("a") == "hunter2"
    monkeypatch.setenv("SECRETKIT_PREVIOUS_KEYS", f"file:/nonexistent/older.key\n{old}\n")
    with pytest.raises(SecretError, match="no such file"):
        secretkit.open(store, new).get("acme:a")
    monkeypatch.setenv("SECRETKIT_PREVIOUS_KEYS", old)
    assert secretkit.open(store, new).get("acme:a").text() == "hunter2"


def test_an_org_has_a_key_of_its_own(tmp_path: Path, store: str) -> None:
    shared, own = key(tmp_path, "shared.key"), key(tmp_path, "own.key")
    both = secretkit.open(store, shared, org_keys={"acme": own})
    both.create("acme:a", "hunter2")
    both.create("other:a", "hunter3")
    assert secretkit.open(store, own).get("acme:a").text() == "hunter2"
    for url, secret in ((own, "other:a"), (shared, "acme:a")):
        with pytest.raises(WrongRootKey):
            secretkit.open(store, url).get(secret)


def test_what_is_no_list_of_keys_is_refused(store: str, errors_made: Caught) -> None:
    errors_made.in_frames = False
    with pytest.raises(Usage, match="list of URLs"):
        secretkit.configure(store=store, previous_keys="file:a")
    with pytest.raises(Unsupported) as caught:
        secretkit.open(store, "file:a", previous_keys=["passphrase:hunter2"])
    assert "hunter2" not in str(caught.value)
    with pytest.raises(SecretError, match="org"):
        secretkit.open(store, "file:a", org_keys={"a/b": "file:b"})


def test_a_key_file_has_a_path(store: str) -> None:
    for call in (secretkit.open, secretkit.configure):
        with pytest.raises(Usage, match="the root key file has no path"):
            call(store=store, key_file="")
