"""Environment variables, which all tasks of a process share."""

import asyncio
import os
import threading

import pytest

import secretkit
from secretkit import Secret, Secrets, current_context, task
from secretkit.exceptions import InvalidVariable, NotFound, Undeliverable
from secretkit.testing import memory_secrets


def variable(name: str) -> str | None:
    return os.environ.get(name)


def test_is_set_while_the_task_runs() -> None:
    @task(
        secret_requests=[
            Secret(key="token", env_var="TOKEN_OF_TEST"),
            Secret("db", "password", mount_requirement=Secret.MountType.ENV_VAR),
            Secret(key="binary", env_var="BINARY_OF_TEST"),
        ]
    )
    def t1() -> None:
        secrets = current_context().secrets
        assert variable("TOKEN_OF_TEST") == secrets.get("token") == "t"
        assert secrets.get_secrets_env_var("token") == "TOKEN_OF_TEST"
        assert secrets.get_secrets_env_var("db", "password") == "_FSEC_DB_PASSWORD"
        assert variable("_FSEC_DB_PASSWORD") == "hunter2"
        assert os.environb[b"BINARY_OF_TEST"] == b"\xff\n"

    with memory_secrets({"token": "t", "db/password": "hunter2", "binary": b"\xff\n"}):
        t1()
    assert [variable(name) for name in ("TOKEN_OF_TEST", "_FSEC_DB_PASSWORD", "BINARY_OF_TEST")] == [None] * 3


def test_the_prefix_is_the_hosts() -> None:
    @task(secret_requests=[Secret(key="token", mount_requirement=Secret.MountType.ENV_VAR)])
    def t1() -> str:
        assert variable("_FSEC_TOKEN") is None
        return os.environ[current_context().secrets.get_secrets_env_var(key="token")]

    with memory_secrets({"token": "t"}), secretkit.context(env_prefix="APP_"):
        assert t1() == "t"


def test_what_was_there_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_OF_TEST", "before")

    @task(secret_requests=[Secret(key="token", env_var="TOKEN_OF_TEST")])
    def t1() -> None:
        assert variable("TOKEN_OF_TEST") == "t"
        raise KeyError

    with memory_secrets({"token": "t"}), pytest.raises(KeyError):
        t1()
    assert variable("TOKEN_OF_TEST") == "before"


def test_what_somebody_else_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_OF_TEST", "before")

    @task(secret_requests=[Secret(key="token", env_var="TOKEN_OF_TEST")])
    def sets() -> None:
        os.environ["TOKEN_OF_TEST"] = "theirs"

    @task(secret_requests=[Secret(key="token", env_var="TOKEN_OF_TEST")])
    def removes() -> None:
        del os.environ["TOKEN_OF_TEST"]

    with memory_secrets({"token": "t"}):
        sets()
        assert variable("TOKEN_OF_TEST") == "theirs"
        removes()
        assert variable("TOKEN_OF_TEST") is None


def test_two_secrets_for_one_variable_fail_at_the_start() -> None:
    def nested(inner: Secret) -> None:
        @task(secret_requests=[inner, Secret(key="other", env_var="OTHER_OF_TEST")])
        def claims() -> None:
            pytest.fail("it must not start")

        @task(secret_requests=[Secret(key="token", env_var="TOKEN_OF_TEST")])
        def holds() -> None:
            with pytest.raises(InvalidVariable) as raised:
                claims()
            for word in ("TOKEN_OF_TEST", "default:token (revision 1)", "default:other (revision 1)"):
                assert word in str(raised.value)
            assert variable("OTHER_OF_TEST") is None
            assert variable("TOKEN_OF_TEST") == "t"

        holds()
        assert variable("TOKEN_OF_TEST") is None

    with memory_secrets({"token": "t", "other": "t"}):
        # Even if both have the same value now: the next rotation would part them.
        nested(Secret(key="other", env_var="TOKEN_OF_TEST"))

        @task(secret_requests=[Secret(key="token", env_var="A_OF_TEST"), Secret(key="other", env_var="A_OF_TEST")])
        def both() -> None:
            pytest.fail("it must not start")

        with pytest.raises(InvalidVariable, match="A_OF_TEST is claimed by both default:token and default:other"):
            both()


def test_two_revisions_are_two(secrets: Secrets) -> None:
    secrets.create("token", "first")

    @task(secret_requests=[Secret(key="token", env_var="TOKEN_OF_TEST")])
    def inner() -> str:
        return os.environ["TOKEN_OF_TEST"]

    @task(secret_requests=[Secret(key="token", env_var="TOKEN_OF_TEST")])
    def outer() -> None:
        assert inner() == "first"
        secrets.update("token", "second")
        with pytest.raises(InvalidVariable, match=r"revision 1.*revision 2"):
            inner()

    outer()
    assert inner() == "second"


def test_the_same_secret_is_shared_and_the_last_one_out_restores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_OF_TEST", "before")
    inside = threading.Barrier(3)
    first_out, seen = threading.Event(), []

    @task(secret_requests=[Secret(key="token", env_var="TOKEN_OF_TEST")])
    def t1(leave: threading.Event | None) -> None:
        inside.wait(10)
        if leave is not None:
            assert leave.wait(10)
        seen.append(variable("TOKEN_OF_TEST"))

    def second() -> None:
        t1(first_out)

    with memory_secrets({"token": "t"}):
        threads = [
            threading.Thread(target=secretkit.wrap(t1), args=(None,)),
            threading.Thread(target=secretkit.wrap(second)),
        ]
        for thread in threads:
            thread.start()
        inside.wait(10)
        threads[0].join(10)
        assert variable("TOKEN_OF_TEST") == "t"
        first_out.set()
        threads[1].join(10)
    assert seen == ["t", "t"]
    assert variable("TOKEN_OF_TEST") == "before"


def test_many_threads_share_and_restore() -> None:
    @task(secret_requests=[Secret(key="token", env_var="TOKEN_OF_TEST")])
    def t1() -> None:
        for _ in range(5):
            assert variable("TOKEN_OF_TEST") == "t"

    def work() -> None:
        for _ in range(50):
            t1()

    failed = []
    with memory_secrets({"token": "t"}):
        carried = secretkit.wrap(work)

        def guarded() -> None:
            try:
                carried()
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=guarded) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failed
    assert variable("TOKEN_OF_TEST") is None


def test_is_held_until_a_coroutine_ends() -> None:
    @task(secret_requests=[Secret(key="token", env_var="TOKEN_OF_TEST")])
    async def t1(go_on: asyncio.Event) -> str | None:
        await go_on.wait()
        return variable("TOKEN_OF_TEST")

    async def main() -> None:
        go_on = asyncio.Event()
        running = asyncio.ensure_future(t1(go_on))
        cancelled = asyncio.ensure_future(t1(go_on))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.sleep(0)
        assert variable("TOKEN_OF_TEST") == "t"
        go_on.set()
        assert await running == "t"
        assert variable("TOKEN_OF_TEST") is None

    with memory_secrets({"token": "t"}):
        asyncio.run(main())


def test_a_nul_byte_cannot_be_delivered() -> None:
    @task(secret_requests=[Secret(key="token", env_var="TOKEN_OF_TEST")])
    def t1() -> None:
        pytest.fail("it must not start")

    with memory_secrets({"token": b"a\0b"}), pytest.raises(Undeliverable, match="NUL"):
        t1()


def test_nothing_is_set_where_another_one_is_missing() -> None:
    @task(secret_requests=[Secret(key="token", env_var="TOKEN_OF_TEST"), Secret(key="lost", env_var="LOST_OF_TEST")])
    def t1() -> None:
        pytest.fail("it must not start")

    with memory_secrets({"token": "t"}), pytest.raises(NotFound, match="lost"):
        t1()
    assert variable("TOKEN_OF_TEST") is None


class Full(dict[bytes, bytes]):
    """An environment with no room for one of the variables."""

    def __setitem__(self, name: bytes, value: bytes) -> None:
        if name == b"SECOND_OF_TEST":
            raise OSError("no room")
        super().__setitem__(name, value)


def test_a_task_whose_variables_cannot_all_be_set_sets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    @task(secret_requests=[Secret(key="token", env_var="FIRST_OF_TEST"), Secret(key="token", env_var="SECOND_OF_TEST")])
    def t1() -> None:
        raise AssertionError("it must not start")

    with memory_secrets({"token": "t"}):
        full = Full()
        with monkeypatch.context() as patched:
            patched.setattr(os, "environb", full)
            with pytest.raises(OSError, match="no room"):
                t1()
        assert full == {}

        # Neither is claimed any more.
        @task(secret_requests=[Secret(key="token", env_var="FIRST_OF_TEST")])
        def t2() -> str | None:
            return variable("FIRST_OF_TEST")

        assert t2() == "t"
    assert variable("FIRST_OF_TEST") is None


def test_two_runs_of_a_task_cannot_share_the_name_of_a_file() -> None:
    started, done = threading.Event(), threading.Event()

    @task(secret_requests=[Secret(key="cert", mount_requirement=Secret.MountType.FILE, env_var="CERT_OF_TEST")])
    def t1() -> None:
        started.set()
        assert done.wait(30)

    with memory_secrets({"cert": "c"}):
        first = threading.Thread(target=secretkit.wrap(t1))
        first.start()
        assert started.wait(30)
        try:
            with pytest.raises(InvalidVariable, match="a file of its own"):
                t1()
        finally:
            done.set()
            first.join()
        t1()
    assert variable("CERT_OF_TEST") is None
