"""Secrets as files."""

import os
import stat
from pathlib import Path

import pytest

import secretkit
from conftest import left_in
from secretkit import Secret, current_context, task
from secretkit.exceptions import InvalidRequest, InvalidVariable
from secretkit.testing import memory_secrets

FILE = Secret.MountType.FILE


def test_is_there_while_the_task_runs(mounts: Path) -> None:
    @task(secret_requests=[Secret(key="cert", mount_requirement=FILE), Secret("tls", "cert", mount_requirement=FILE)])
    def t1() -> list[str]:
        secrets = current_context().secrets
        paths = [secrets.get_secrets_file("cert"), secrets.get_secrets_file("tls", "cert")]
        assert [Path(path).read_bytes() for path in paths] == [b"one\xff\n", b"two"]
        assert secrets.get("cert", encode_mode="rb") == b"one\xff\n"
        for path in paths:
            assert type(path) is str and os.path.basename(path) == "cert"
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o400
            assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700
        return paths

    with memory_secrets({"cert": b"one\xff\n", "tls/cert": "two"}), secretkit.context(mount_base=mounts):
        paths = t1()
    assert not any(os.path.exists(path) for path in paths)
    assert left_in(mounts) == []


def test_is_gone_whichever_way_the_task_ends(mounts: Path) -> None:
    @task(secret_requests=[Secret(key="cert", mount_requirement=FILE)])
    def t1() -> None:
        assert left_in(mounts)
        raise KeyError("of the task's own")

    with memory_secrets({"cert": "c"}), secretkit.context(mount_base=mounts):
        with pytest.raises(KeyError, match="of the task's own"):
            t1()
    assert left_in(mounts) == []


def test_the_task_may_remove_it_itself(mounts: Path) -> None:
    @task(secret_requests=[Secret(key="cert", mount_requirement=FILE)])
    def t1() -> None:
        os.unlink(current_context().secrets.get_secrets_file("cert"))

    with memory_secrets({"cert": "c"}), secretkit.context(mount_base=mounts):
        t1()
    assert left_in(mounts) == []


def test_a_variable_may_hold_its_path(mounts: Path) -> None:
    @task(secret_requests=[Secret(key="cert", env_var="CERT_OF_TEST", mount_requirement=FILE)])
    def t1() -> None:
        secrets = current_context().secrets
        assert os.environ[secrets.get_secrets_env_var("cert")] == secrets.get_secrets_file("cert")
        # Each task has files of its own, so one variable cannot name the files of two.
        with pytest.raises(InvalidVariable, match="CERT_OF_TEST"):
            t1()
        assert os.path.exists(os.environ["CERT_OF_TEST"])

    with memory_secrets({"cert": "c"}), secretkit.context(mount_base=mounts):
        t1()
    assert "CERT_OF_TEST" not in os.environ
    assert left_in(mounts) == []


def test_each_revision_has_its_file(mounts: Path, secrets: secretkit.Secrets) -> None:
    secrets.create("cert", "first")
    secrets.update("cert", "second")

    @task(
        secret_requests=[
            Secret(key="cert", mount_requirement=FILE),
            Secret("cert", group_version=1, mount_requirement=FILE),
        ]
    )
    def t1() -> list[str]:
        secrets = current_context().secrets
        return [Path(secrets.get_secrets_file("cert", group_version=version)).read_text() for version in (None, 1)]

    with secretkit.context(mount_base=mounts):
        assert t1() == ["second", "first"]
    assert left_in(mounts) == []


def test_no_file_is_left_where_the_task_cannot_start(mounts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @task(secret_requests=[Secret(key="cert", mount_requirement=FILE), Secret(key="b", env_var="HELD_OF_TEST")])
    def inner() -> None:
        pytest.fail("it must not start")

    @task(secret_requests=[Secret(key="a", env_var="HELD_OF_TEST")])
    def outer() -> None:
        with pytest.raises(InvalidVariable):
            inner()

    with memory_secrets({"cert": "c", "a": "a", "b": "b"}), secretkit.context(mount_base=mounts):
        outer()
    assert left_in(mounts) == []


def test_the_path_is_the_tasks_own(mounts: Path) -> None:
    kept = []

    @task(secret_requests=[Secret(key="cert", mount_requirement=FILE)])
    def t1() -> None:
        kept.append(current_context().secrets)

    with memory_secrets({"cert": "c"}), secretkit.context(mount_base=mounts):
        t1()
    with pytest.raises(InvalidRequest, match="has ended"):
        kept[0].get_secrets_file("cert")


def test_a_place_that_cannot_be_used_is_an_error(mounts: Path) -> None:
    @task(secret_requests=[Secret(key="cert", mount_requirement=FILE)])
    def t1() -> None:
        pytest.fail("it must not start")

    with memory_secrets({"cert": "c"}), secretkit.context(mount_base=mounts / "nowhere"):
        with pytest.raises(FileNotFoundError):
            t1()


def test_a_place_that_is_relative_is_where_it_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "files").mkdir(mode=0o700)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with memory_secrets({"cert": "c"}), secretkit.context(mount_base="files"):
        monkeypatch.chdir(tmp_path / "elsewhere")

        @task(secret_requests=[Secret(key="cert", mount_requirement=Secret.MountType.FILE)])
        def read() -> None:
            path = Path(current_context().secrets.get_secrets_file("cert"))
            assert path.is_relative_to(tmp_path / "files") and path.read_text() == "c"

        read()
