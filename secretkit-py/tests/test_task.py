"""`@task`, `@workflow` and `current_context().secrets`."""

import asyncio
import inspect
import os
from collections.abc import Generator

import pytest

import secretkit
from hostile import NAMES
from leaks import Caught
from secretkit import Secret, SecretError, Secrets, current_context, task, workflow
from secretkit.exceptions import (
    InvalidEncoding,
    InvalidRequest,
    InvalidVariable,
    NotFound,
    NotRequested,
)
from secretkit.testing import memory_secrets


def test_reads_what_it_requested() -> None:
    @task(secret_requests=[Secret(key="token"), Secret(group="db", key="password"), Secret(group="alone")])
    def t1() -> list[object]:
        secrets = current_context().secrets
        return [
            secrets.get(key="token"),
            secrets.get("token"),
            secrets.get("db", "password"),
            secrets.get(group="db", key="password", encode_mode="rb"),
            secrets.get("db", "password", None, "rb"),
            secrets.db.password,
            secrets.get("alone"),
        ]

    with memory_secrets({"token": "t0k3n", "db/password": b"hunter2\n", "alone": ""}):
        assert t1() == ["t0k3n", "t0k3n", "hunter2\n", b"hunter2\n", b"hunter2\n", "hunter2\n", ""]


def test_reads_nothing_else() -> None:
    @task(secret_requests=[Secret(key="token")])
    def t1() -> None:
        with pytest.raises(NotRequested) as raised:
            current_context().secrets.get("db", "password")
        words = str(raised.value)
        assert '@task(secret_requests=[Secret(group="db", key="password")])' in words
        with pytest.raises(NotRequested, match="MountType.FILE"):
            current_context().secrets.get_secrets_file("token")
        with pytest.raises(NotRequested, match="MountType.ENV_VAR"):
            current_context().secrets.get_secrets_env_var("token")

    with memory_secrets({"token": "t0k3n", "db/password": "hunter2"}):
        t1()


def test_reads_with_the_version_that_was_requested() -> None:
    @task(
        secret_requests=[
            Secret("token", group_version=1, mount_requirement=Secret.MountType.FILE),
            Secret("token", group_version=1, mount_requirement=Secret.MountType.ENV_VAR),
            Secret("plain"),
        ]
    )
    def t1() -> None:
        got = current_context().secrets
        assert got.get("token", group_version=1) == "t0k3n"
        for read in (got.get, got.get_secrets_file, got.get_secrets_env_var):
            with pytest.raises(NotRequested, match="token was requested with another group_version or with none"):
                read("token")
        with pytest.raises(NotRequested, match="plain was requested with another group_version or with none"):
            got.get("plain", group_version=1)
        with pytest.raises(NotRequested, match="MountType.FILE"):
            got.get_secrets_file("plain", group_version=1)

    with memory_secrets({"token": "t0k3n", "plain": "p"}):
        t1()


def test_a_bare_task_asks_no_store_and_reads_nothing() -> None:
    @task
    def bare() -> str:
        with pytest.raises(NotRequested):
            current_context().secrets.get("token")
        return "done"

    @task()
    def called() -> str:
        return bare()

    assert called() == "done"


def test_missing_secrets_fail_when_they_are_due() -> None:
    @task(secret_requests=[Secret(key="nowhere")])
    def late() -> None:
        with pytest.raises(NotFound, match="nowhere; searched acme/etl, acme"):
            current_context().secrets.get("nowhere")

    ran = []

    @task(
        secret_requests=[
            Secret(key="nowhere", env_var="NOWHERE"),
            Secret(key="present", env_var="HERE"),
            Secret(key="lost", mount_requirement=Secret.MountType.FILE),
        ]
    )
    def early() -> None:
        ran.append(True)

    with memory_secrets({"present": "h"}, org="acme", project="etl"):
        late()
        with pytest.raises(NotFound) as raised:
            early()
        assert "nowhere" in str(raised.value) and "lost" in str(raised.value) and "present" not in str(raised.value)
    assert not ran


def test_keeps_what_it_saw_and_forgets_it_at_its_end(secrets: Secrets) -> None:
    secrets.create("token", "first")

    @task(secret_requests=[Secret(key="token")])
    def t1() -> object:
        seen = current_context().secrets
        secrets.update("token", "second")
        assert seen.get("token") == "first"
        return seen

    seen = t1()
    with pytest.raises(InvalidRequest, match="has ended"):
        seen.get("token")  # type: ignore[attr-defined]

    @task(
        secret_requests=[Secret(key="token"), Secret(key="token", group_version=1), Secret("token", group_version="2")]
    )
    def t2() -> list[str]:
        secrets = current_context().secrets
        return [secrets.get("token"), secrets.get("token", group_version="1"), secrets.get("token", group_version=2)]

    assert t2() == ["second", "first", "second"]


def test_a_revision_is_read_with_its_number(secrets: Secrets) -> None:
    secrets.create("token", "first")

    @task(secret_requests=[Secret(key="token", group_version=1)])
    def t1() -> str:
        with pytest.raises(NotRequested):
            current_context().secrets.get("token")
        return current_context().secrets.get("token", group_version="1")

    assert t1() == "first"

    @task(secret_requests=[Secret(key="token", group_version=9)])
    def t2() -> None:
        with pytest.raises(NotFound, match="revision 9"):
            current_context().secrets.get("token", group_version=9)

    t2()


def test_nested_tasks_see_their_own_and_give_back() -> None:
    @task(secret_requests=[Secret(key="inner")])
    def inner() -> str:
        with pytest.raises(NotRequested):
            current_context().secrets.get("outer")
        return current_context().secrets.get("inner")

    @task(secret_requests=[Secret(key="outer")])
    def outer() -> tuple[str, str]:
        before = current_context()
        found = inner()
        assert current_context() is before
        return found, current_context().secrets.get("outer")

    with memory_secrets({"inner": "i", "outer": "o"}):
        assert outer() == ("i", "o")


def test_what_is_not_text_is_our_error_and_no_unicode_error() -> None:
    @task(secret_requests=[Secret(key="binary")])
    def t1() -> bytes:
        with pytest.raises(InvalidEncoding) as raised:
            current_context().secrets.get("binary")
        assert "offset 3" in str(raised.value)
        assert raised.value.__cause__ is None and raised.value.__context__ is None
        return current_context().secrets.get("binary", encode_mode="rb")

    with memory_secrets({"binary": b"abc\xff"}):
        assert t1() == b"abc\xff"


@pytest.mark.parametrize("arguments", [{}, {"encode_mode": "rb"}])
def test_get_needs_a_name(arguments: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest, match="names no secret"):
        current_context().secrets.get(**arguments)  # type: ignore[call-overload]


@pytest.mark.parametrize("mode", ["", "w", "R", "rb ", "\ud800", "base64"])
def test_get_knows_two_modes(mode: str) -> None:
    with pytest.raises(InvalidRequest, match="encode_mode"):
        current_context().secrets.get("token", encode_mode=mode)  # type: ignore[call-overload]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_get_refuses_hostile_names(name: str) -> None:
    @task(secret_requests=[Secret(key="token")])
    def t1() -> None:
        secrets = current_context().secrets
        for get in (secrets.get, secrets.get_secrets_file, secrets.get_secrets_env_var):
            with pytest.raises(SecretError):
                get(name)
            with pytest.raises(SecretError):
                get("group", name)

    with memory_secrets({"token": "t0k3n"}):
        t1()
        with pytest.raises(SecretError):
            current_context().secrets.get(name)


def test_wrong_types_are_type_errors() -> None:
    wrong: list[tuple[object, ...]] = [(5,), ("g", b"k"), ([],)]
    for arguments in wrong:
        with pytest.raises(TypeError):
            current_context().secrets.get(*arguments)  # type: ignore[call-overload]
    with pytest.raises(InvalidRequest, match="group_version"):
        current_context().secrets.get("token", group_version=1.5)  # type: ignore[call-overload]


def test_attributes_that_python_asks_for_are_not_secrets() -> None:
    secrets = current_context().secrets
    for name in ("__wrapped__", "__len__", "_repr_html_", "_ipython_canary_method_should_not_exist_"):
        assert not hasattr(secrets, name)
        assert not hasattr(secrets.group, name)
    assert inspect.unwrap(secrets) is secrets  # type: ignore[arg-type]
    with memory_secrets({"GROUP/KEY": "value"}):
        assert current_context().secrets.GROUP.KEY == "value"
        with pytest.raises(NotFound):
            current_context().secrets.GROUP.OTHER  # noqa: B018


def test_outside_of_tasks_the_process_reads(secrets: Secrets) -> None:
    secrets.create("token", "first")
    assert current_context().secrets.get("token") == "first"
    secrets.update("token", "second")
    assert current_context().secrets.get("token") == "second"
    assert current_context().secrets.get("token", group_version=1) == "first"
    with pytest.raises(NotFound):
        current_context().secrets.get("nowhere")
    # There is no decorator to change.
    with pytest.raises(NotRequested, match="no task runs here, and only a task gets token as a file; read"):
        current_context().secrets.get_secrets_file("token")
    with pytest.raises(NotRequested, match="no task runs here, and only a task gets token as an env"):
        current_context().secrets.get_secrets_env_var("token")


def test_is_the_function_it_decorates() -> None:
    @task
    def documented(a: int, b: int = 2) -> int:
        """What it does."""
        return a + b

    assert documented.__name__ == "documented" and documented.__doc__ == "What it does."
    assert str(inspect.signature(documented)) == "(a: int, b: int = 2) -> int"
    assert documented(1) == 3 and documented(a=1, b=1) == 2

    class Holder:
        @task
        def method(self) -> "Holder":
            return self

    holder = Holder()
    assert holder.method() is holder


def test_an_exception_passes_and_the_task_ends() -> None:
    kept = []

    @task(secret_requests=[Secret(key="token")])
    def t1() -> None:
        kept.append(current_context().secrets)
        raise KeyError("of the task's own")

    with memory_secrets({"token": "t"}):
        with pytest.raises(KeyError, match="of the task's own"):
            t1()
        with pytest.raises(InvalidRequest, match="has ended"):
            kept[0].get("token")
        assert current_context().secrets.get("token") == "t"


def test_keywords_of_flytekit_are_accepted_with_one_warning() -> None:
    with pytest.warns(UserWarning, match="cache, retries") as warnings:

        @task(cache=True, retries=3, secret_requests=[Secret(key="token")])
        def t1() -> str:
            return current_context().secrets.get("token")

    assert len(warnings) == 1 and warnings[0].filename == __file__
    with memory_secrets({"token": "t"}):
        assert t1() == "t"


def test_a_workflow_is_the_function_itself() -> None:
    def plain() -> int:
        return 1

    assert workflow(plain) is plain
    assert workflow()(plain) is plain
    with pytest.warns(UserWarning, match="failure_policy"):
        assert workflow(failure_policy=1)(plain) is plain


@pytest.mark.parametrize("requests", ["token", {"token"}, Secret(key="token"), 5])
def test_requests_are_a_list(requests: object) -> None:
    with pytest.raises(InvalidRequest, match="secret_requests is a list"):
        task(secret_requests=requests)  # type: ignore[call-overload]


@pytest.mark.parametrize("request_", ["hunter2", None, {"key": "hunter2"}, Secret])
def test_requests_are_secrets(request_: object, errors_made: Caught) -> None:
    errors_made.in_frames = False
    with pytest.raises(InvalidRequest, match="secret_requests holds secretkit.Secret") as raised:
        task(secret_requests=[Secret(key="token"), request_])  # type: ignore[list-item]
    assert "hunter2" not in str(raised.value)


def test_decorates_functions_only() -> None:
    with pytest.raises(InvalidRequest, match="decorates a function"):
        task(secret_requests=[])("token")  # type: ignore[type-var]
    with pytest.raises(InvalidRequest, match="decorates a function"):
        task("token")  # type: ignore[call-overload]


def test_a_generator_reads_between_its_steps_and_not_outside() -> None:
    @task(secret_requests=[Secret(key="token")])
    def t1() -> Generator[str, str, str]:
        got = yield current_context().secrets.get("token")
        try:
            yield got
        except KeyError:
            yield current_context().secrets.get("token")
        return "end"

    with memory_secrets({"token": "t", "other": "o"}):
        steps = t1()
        assert next(steps) == "t"
        assert current_context().secrets.get("other") == "o"
        assert steps.send("sent") == "sent"
        assert steps.throw(KeyError()) == "t"
        with pytest.raises(StopIteration, match="end"):
            next(steps)


def test_a_generator_that_is_left_ends_its_task() -> None:
    kept, read = [], []

    @task(secret_requests=[Secret(key="token")])
    def t1() -> Generator[int, None, None]:
        kept.append(current_context().secrets)
        try:
            yield 1
        finally:
            read.append(current_context().secrets.get("token"))

    with memory_secrets({"token": "t"}):
        steps = t1()
        next(steps)
        steps.close()
        assert read == ["t"]
        with pytest.raises(InvalidRequest, match="has ended"):
            kept[0].get("token")


@pytest.mark.parametrize(
    "secret",
    [
        Secret(key="token", env_var="TOKEN"),
        Secret(key="token", mount_requirement=Secret.MountType.ENV_VAR),
        Secret(key="token", mount_requirement=Secret.MountType.FILE),
    ],
    ids=["env_var", "ENV_VAR", "FILE"],
)
def test_a_generator_holds_no_variables_and_no_files(secret: Secret) -> None:
    def generator() -> object:
        yield 1

    async def async_generator() -> object:
        yield 1

    for function in (generator, async_generator):
        with pytest.raises(InvalidRequest, match="generator"):
            task(secret_requests=[secret])(function)


def test_a_coroutine_that_would_run_without_its_secrets_is_refused() -> None:
    seen: list[str] = []

    async def work() -> None:
        seen.append(current_context().secrets.get("token"))

    def hidden() -> object:
        return work()

    with memory_secrets({"token": "t"}):
        with pytest.raises(InvalidRequest, match="put @task directly above the async function"):
            task(secret_requests=[Secret(key="token", env_var="TOKEN")])(hidden)()
        assert "TOKEN" not in os.environ
        asyncio.run(task(secret_requests=[Secret(key="token")])(work)())
        coroutine = task(hidden)()
        assert asyncio.iscoroutine(coroutine), "one that asks for nothing may hand on what it likes"
        coroutine.close()
    assert seen == ["t"]


def test_a_made_up_variable_name_must_be_one() -> None:
    @task(secret_requests=[Secret(key="api-key", mount_requirement=Secret.MountType.ENV_VAR)])
    def t1() -> None:
        pytest.fail("it must not start")

    with memory_secrets({"api-key": "k"}), pytest.raises(InvalidVariable, match="api-key"):
        t1()


def test_docstrings_warn() -> None:
    warning = "Do not return secret values from tasks, as this will expose secrets"
    assert warning in (secretkit.task.__doc__ or "")
    assert warning in (secretkit.TaskSecrets.get.__doc__ or "")
