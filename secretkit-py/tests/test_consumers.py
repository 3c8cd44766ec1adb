"""What uses a secret: named by people, and by tasks that register themselves."""

import subprocess
import sys
import textwrap
import time
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest

import secretkit
from places import Places
from secretkit import Secret, Secrets, current_context, task
from secretkit.exceptions import InUse, InvalidMetadata, NotFound, RegistrationWarning, Usage
from secretkit.testing import memory_secrets


@pytest.fixture(params=["sqlite", "memory"])
def either(request: pytest.FixtureRequest) -> Secrets:
    if request.param == "memory":
        return secretkit.open("memory:")
    return request.getfixturevalue("secrets")  # type: ignore[no-any-return]


def names(secrets: Secrets, name: str = "token") -> list[str]:
    return [consumer.name for consumer in secrets.consumers(name)]


def test_a_secret_in_use_stays(either: Secrets) -> None:
    made = either.create("token", "t")
    either.add_consumer("token", "report")
    assert either.add_consumer("token", "etl.jobs:nightly").generation == made.generation
    first = either.consumers("token")
    assert [consumer.name for consumer in first] == ["etl.jobs:nightly", "report"]
    assert first[0].seen_by == made.created_by
    assert datetime.now(timezone.utc) - first[0].seen_at < timedelta(minutes=1)
    assert repr(first[0]) == "ConsumerInfo('etl.jobs:nightly')"
    with pytest.raises(InUse, match="default:token is used by etl.jobs:nightly, report") as raised:
        either.delete("token")
    assert raised.value.consumers == ("etl.jobs:nightly", "report")

    either.add_consumer("token", "report")
    assert either.consumers("token")[1].seen_at > first[1].seen_at
    assert either.edit("token", active=False).active is False, "switching off is always allowed"
    for consumer in ("report", "etl.jobs:nightly"):
        either.remove_consumer("token", consumer)
        with pytest.raises(NotFound, match="no consumer of that name"):
            either.remove_consumer("token", consumer)
    assert names(either) == []
    either.delete("token")
    assert InUse("in use").consumers == ()


def test_those_not_seen_are_pruned(either: Secrets) -> None:
    either.create("token", "t")
    either.add_consumer("token", "old")
    time.sleep(0.01)
    between = datetime.now(timezone.utc)
    time.sleep(0.01)
    either.add_consumer("token", "new")
    for since in ("90d", timedelta(days=90), date(2000, 1, 1), datetime(2000, 1, 1, tzinfo=timezone.utc)):
        assert either.prune_consumers("token", unseen_since=since) == []
    assert [consumer.name for consumer in either.prune_consumers("token", unseen_since=between)] == ["old"]
    assert names(either) == ["new"]
    assert len(either.prune_consumers("token", unseen_since=timedelta(0))) == 1
    for wrong in ("soon", "2027-01-31", datetime(2027, 1, 31)):
        with pytest.raises(InvalidMetadata):
            either.prune_consumers("token", unseen_since=wrong)


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 257, "\x1b[31m", "a\ud800"])
def test_a_consumer_has_a_printable_name(name: str) -> None:
    secrets = Secrets.in_memory({"token": "t"})
    for call in (secrets.add_consumer, secrets.remove_consumer):
        with pytest.raises(InvalidMetadata, match="consumer"):
            call("token", name)
        with pytest.raises(TypeError, match="consumer is str, not int"):
            call("token", 5)  # type: ignore[call-overload]
    assert names(secrets) == []


@task(secret_requests=[Secret("token"), Secret("absent"), Secret("other", env_var="OTHER_OF_TEST")])
def uses() -> str:
    return current_context().secrets.get("token")


USES = f"{__name__}:uses"


@pytest.fixture
def stocked(secrets: Secrets) -> Secrets:
    for name in ("token", "other", "untouched"):
        secrets.create(name, name)
    return secrets


def test_no_task_registers_unasked(stocked: Secrets) -> None:
    assert uses() == "token"
    assert names(stocked) == []
    stocked.delete("token")


def test_a_task_registers_where_the_host_says_so(stocked: Secrets, places: Places) -> None:
    secretkit.configure(store=places["store"], key=places["key"], actor="ci@host", register_consumers=True)
    assert uses() == "token"
    assert (names(stocked), names(stocked, "other"), names(stocked, "untouched")) == ([USES], [USES], [])
    assert stocked.consumers("token")[0].seen_by == "ci@host"
    assert stocked.info("token").generation == 1
    with pytest.raises(InUse, match=USES):
        stocked.delete("token")
    # Reading outside of a task is not the use of a task.
    current_context().secrets.get("untouched")
    assert names(stocked, "untouched") == []


def test_a_variable_says_so_too_and_a_context(monkeypatch: pytest.MonkeyPatch) -> None:
    def in_new_context(register_consumers: bool | None = None) -> bool:
        # Of one store each consumer is registered once a minute, so each case has one of its own.
        opened = Secrets.in_memory({"token": "t", "other": "o"})
        with secretkit.context(secrets=opened, register_consumers=register_consumers):
            uses()
            return bool(opened.consumers("token"))

    for text, registers in [("", False), ("0", False), ("1", True)]:
        monkeypatch.setenv("SECRETKIT_REGISTER_CONSUMERS", text)
        secretkit.configure()
        assert in_new_context() is registers
        assert in_new_context(register_consumers=True) is True
        assert in_new_context(register_consumers=False) is False
    secretkit.configure(register_consumers=False)
    assert in_new_context() is False, "what is said goes before the variable"
    with secretkit.context(register_consumers=True):
        assert in_new_context() is True, "and holds further in"
    monkeypatch.setenv("SECRETKIT_REGISTER_CONSUMERS", "hunter2")
    secretkit.configure()
    with pytest.raises(Usage, match="SECRETKIT_REGISTER_CONSUMERS is 1 or 0") as raised:
        in_new_context()
    assert "hunter2" not in str(raised.value)


async def _coroutine() -> str:
    return current_context().secrets.get("token")


def test_every_kind_of_function_has_a_name() -> None:
    import asyncio
    import functools

    class Job:
        @task(secret_requests=[Secret("token")])
        def method(self) -> str:
            return current_context().secrets.get("token")

    requests = [Secret("token")]
    coroutine = task(secret_requests=requests)(_coroutine)
    partial = task(secret_requests=requests)(functools.partial(lambda given: given, "given"))
    with memory("token") as secrets, secretkit.context(register_consumers=True):
        Job().method()
        asyncio.run(coroutine())
        assert partial() == "given"
        assert names(secrets) == [
            "functools:partial",
            f"{__name__}:_coroutine",
            f"{__name__}:test_every_kind_of_function_has_a_name.<locals>.Job.method",
        ]


def memory(*given: str) -> AbstractContextManager[Secrets]:
    return memory_secrets({name: name for name in given})


SCRIPT = """
from secretkit import Secret, current_context, task

@task(secret_requests=[Secret("token")])
def nightly():
    return current_context().secrets.get("token")

if __name__ == "__main__":
    nightly()
"""


@pytest.fixture
def script(tmp_path: Path, places: Places, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SECRETKIT_STORE", places["store"])
    monkeypatch.setenv("SECRETKIT_KEY", places["key"])
    monkeypatch.setenv("SECRETKIT_REGISTER_CONSUMERS", "1")
    folder = tmp_path / "jobs"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "clean up.py").write_text(SCRIPT)
    (folder / "payroll.py").write_text(SCRIPT)
    return folder / "payroll.py"


def test_a_file_that_is_run_is_called_as_if_it_were_imported(stocked: Secrets, script: Path) -> None:
    def run(*arguments: str) -> list[str]:
        ended = subprocess.run([sys.executable, *arguments], cwd=script.parent.parent, capture_output=True, text=True)
        assert (ended.returncode, ended.stderr) == (0, "")
        return [consumer.name for consumer in stocked.prune_consumers("token", unseen_since=timedelta(0))]

    assert run(str(script)) == ["payroll:nightly"]
    assert run(str(script.parent / "clean up.py")) == ["clean up:nightly"]
    assert run("-m", "jobs.payroll") == ["jobs.payroll:nightly"]
    assert run("-c", "from jobs.payroll import nightly; nightly()") == ["jobs.payroll:nightly"]
    assert run("-c", SCRIPT) == ["__main__:nightly"]
    assert run("-m", "secretkit", "run", "--task", f"{script}:nightly") == ["payroll:nightly"]
    assert run("-m", "secretkit", "run", "--task", f"{script.parent / 'clean up.py'}:nightly") == ["clean up:nightly"]


def test_a_child_that_is_spawned_has_the_same_name(stocked: Secrets, script: Path) -> None:
    script.write_text(
        SCRIPT + "    import multiprocessing\n    child = multiprocessing.get_context('spawn').Process(target=nightly)\n"
        "    child.start(); child.join(); raise SystemExit(child.exitcode)\n"
    )
    subprocess.run([sys.executable, str(script)], check=True)
    assert names(stocked) == ["payroll:nightly"]


def test_what_cannot_be_registered_is_warned_of_once() -> None:
    def unnamed(*requested: str) -> Callable[[], str]:
        def function() -> str:
            return current_context().secrets.get(requested[0])

        function.__qualname__ = "x" * 300
        return task(secret_requests=[Secret(name) for name in requested])(function)

    one, both = unnamed("one"), unnamed("one", "two")
    with memory("one", "two") as secrets, secretkit.context(register_consumers=True):
        with pytest.warns(RegistrationWarning, match="is not registered .* invalid consumer: it has") as caught:
            assert one() == "one"
        assert len(caught) == 1 and caught[0].filename == __file__
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert one() == "one"
        with pytest.warns(RegistrationWarning):
            assert both() == "one"
        assert both() == "one"
        assert names(secrets, "one") == []


def test_no_warning_ends_a_task() -> None:
    code = textwrap.dedent("""
        import os
        from secretkit import Secret, context, current_context, task
        from secretkit.testing import memory_secrets

        def function():
            return current_context().secrets.get("token") + os.environ["TOKEN"]
        function.__qualname__ = "x" * 300
        function = task(secret_requests=[Secret("token", env_var="TOKEN")])(function)
        with memory_secrets({"token": "t"}), context(register_consumers=True):
            print(function(), function(), "TOKEN" in os.environ)
    """)
    for flags, warned in [(["-W", "error"], 1), ([], 1), (["-W", "ignore"], 0)]:
        ended = subprocess.run([sys.executable, *flags, "-c", code], capture_output=True, text=True)
        assert (ended.returncode, ended.stdout) == (0, "tt tt False\n"), ended.stderr
        assert ended.stderr.count("RegistrationWarning: the task __main__:x") == warned
