"""Threads, asynchronous tasks, and what `wrap` carries."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import secretkit
from secretkit import Secret, Secrets, current_context, task
from secretkit.exceptions import InvalidRequest, NotRequested
from secretkit.testing import memory_secrets


def test_a_thread_starts_without_the_tasks_context(secrets: Secrets) -> None:
    secrets.create("token", "of the store")

    @task(secret_requests=[Secret(key="mine")])
    def t1() -> None:
        with ThreadPoolExecutor(1) as pool:
            # The thread is outside of the task, so it sees what the process sees.
            assert pool.submit(lambda: current_context().secrets.get("token")).result() == "of the store"

    with memory_secrets({"mine": "m"}):
        t1()


def test_wrap_carries_it() -> None:
    @task(secret_requests=[Secret(key="token")])
    def t1() -> list[str]:
        @secretkit.wrap
        def work(number: int, *, suffix: str = "") -> str:
            with pytest.raises(NotRequested):
                current_context().secrets.get("other")
            return current_context().secrets.get("token") + str(number) + suffix

        with ThreadPoolExecutor(4) as pool:
            return [*pool.map(work, range(20)), pool.submit(work, 1, suffix="!").result()]

    with memory_secrets({"token": "t", "other": "o"}):
        assert t1() == [f"t{number}" for number in range(20)] + ["t1!"]
        outside = secretkit.wrap(lambda: current_context().secrets.get("other"))
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(outside).result() == "o"


def test_wrap_carries_settings_and_starts_tasks_there() -> None:
    @task(secret_requests=[Secret(key="token")])
    def t1() -> str:
        return current_context().secrets.get("token")

    with memory_secrets({"acme:token": "acme's", "acme/etl:token": "etl's"}, org="acme"):
        with secretkit.context(project="etl"), ThreadPoolExecutor(1) as pool:
            assert pool.submit(secretkit.wrap(t1)).result() == "etl's"


def test_wrap_takes_coroutines_and_generators() -> None:
    @task(secret_requests=[Secret(key="token")])
    def t1() -> tuple[str, list[str]]:
        @secretkit.wrap
        async def coroutine() -> str:
            await asyncio.sleep(0)
            return current_context().secrets.get("token")

        @secretkit.wrap
        def generator() -> object:
            yield current_context().secrets.get("token")

        with ThreadPoolExecutor(1) as pool:
            return pool.submit(lambda: asyncio.run(coroutine())).result(), list(generator())  # type: ignore[call-overload]

    with memory_secrets({"token": "t"}):
        assert t1() == ("t", ["t"])


def test_what_is_carried_ends_with_the_task() -> None:
    @task(secret_requests=[Secret(key="token")])
    def t1() -> object:
        return secretkit.wrap(lambda: current_context().secrets.get("token"))

    with memory_secrets({"token": "t"}):
        with pytest.raises(InvalidRequest, match="has ended"):
            t1()()  # type: ignore[operator]


def test_asynchronous_tasks_see_their_own() -> None:
    def reader(name: str) -> object:
        @task(secret_requests=[Secret(key=name)])
        async def read(other: str) -> str:
            for _ in range(10):
                await asyncio.sleep(0)
                with pytest.raises(NotRequested):
                    current_context().secrets.get(other)
            return current_context().secrets.get(name)

        return read

    a, b = reader("a"), reader("b")

    async def main() -> None:
        assert await asyncio.gather(*[a("b"), b("a")] * 10) == ["1", "2"] * 10  # type: ignore[operator]
        # Awaited in place, it runs in this task's context, and gives that back.
        before = current_context()
        assert await a("b") == "1"  # type: ignore[operator]
        assert current_context() is before

    with memory_secrets({"a": "1", "b": "2"}):
        asyncio.run(main())


def test_an_asynchronous_task_is_a_coroutine_function() -> None:
    import inspect

    @task(secret_requests=[Secret(key="token")])
    async def coroutine() -> None: ...

    @task(secret_requests=[Secret(key="token")])
    async def generator() -> object:
        got = yield current_context().secrets.get("token")
        try:
            yield got
        except KeyError:
            yield current_context().secrets.get("token")

    assert inspect.iscoroutinefunction(coroutine) and inspect.isasyncgenfunction(generator)

    async def main() -> None:
        steps = generator()
        assert await steps.__anext__() == "t"  # type: ignore[attr-defined]
        assert current_context().secrets.get("other") == "o"
        assert await steps.asend("sent") == "sent"  # type: ignore[attr-defined]
        assert await steps.athrow(KeyError()) == "t"  # type: ignore[attr-defined]
        with pytest.raises(StopAsyncIteration):
            await steps.__anext__()  # type: ignore[attr-defined]
        left = generator()
        await left.__anext__()  # type: ignore[attr-defined]
        await left.aclose()  # type: ignore[attr-defined]

    with memory_secrets({"token": "t", "other": "o"}):
        asyncio.run(main())


def test_asyncio_to_thread_carries_the_context_by_itself() -> None:
    @task(secret_requests=[Secret(key="token")])
    async def t1() -> str:
        return await asyncio.to_thread(lambda: current_context().secrets.get("token"))

    with memory_secrets({"token": "t"}):
        assert asyncio.run(t1()) == "t"


def test_one_store_serves_many_threads(secrets: Secrets) -> None:
    for number in range(8):
        secrets.create(f"k{number}", f"v{number}")
    failed: list[BaseException] = []

    def work(number: int) -> None:
        @task(secret_requests=[Secret(key=f"k{number}")])
        def read() -> str:
            return current_context().secrets.get(f"k{number}")

        try:
            for _ in range(50):
                assert read() == f"v{number}"
                assert secrets.get(f"k{number}").text() == f"v{number}"
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
