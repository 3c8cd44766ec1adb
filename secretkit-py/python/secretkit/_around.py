"""Runs a function inside a context, whatever kind of function it is."""

from __future__ import annotations

from functools import wraps

from secretkit._context import Context, Held, current_context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator
    from contextlib import AbstractContextManager
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])


def wrap(function: F) -> F:
    """Carries the context of the running task, and its settings, into `function` wherever it is called.

    A new thread starts without them: `Thread(target=wrap(work))`, `executor.map(wrap(work), items)`. The secrets are
    good until the task ends.
    """
    from contextlib import nullcontext

    from secretkit import _settings

    carried = Context(current_context().secrets, _settings.overlay.get())
    return around(function, lambda: nullcontext(carried))


def around(
    function: F, start: Callable[[], AbstractContextManager[Context]], judge: Callable[[object], object] | None = None
) -> F:
    """The function with a context from its first step to its last. `start` gives a new one for each call. `judge` looks
    at what a plain function returns, while its context still holds.
    """
    # `inspect` is a slow import, and so happens with the first decorator and not with `import secretkit`.
    from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction

    if iscoroutinefunction(function):
        around_its_kind = _around_coroutine
    elif isgeneratorfunction(function):
        around_its_kind = _around_generator
    elif isasyncgenfunction(function):
        around_its_kind = _around_async_generator
    else:
        plain: F = _around_call(function, start, judge)
        return plain
    wrapped: F = around_its_kind(function, start)
    return wrapped


def _around_call(
    function: Callable[..., Any],
    start: Callable[[], AbstractContextManager[Context]],
    judge: Callable[[object], object] | None,
) -> Any:
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with start() as context, Held(context):
            returned = function(*args, **kwargs)
            if judge is not None:
                judge(returned)
            return returned

    return call


def _around_coroutine(function: Callable[..., Any], start: Callable[[], AbstractContextManager[Context]]) -> Any:
    @wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        with start() as context, Held(context):
            return await function(*args, **kwargs)

    return call


def _around_generator(function: Callable[..., Any], start: Callable[[], AbstractContextManager[Context]]) -> Any:
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        # Between two steps the caller's context holds, so each step has to bring its own.
        with start() as context:
            with Held(context):
                steps = function(*args, **kwargs)
            step, given = steps.send, None
            while True:
                try:
                    with Held(context):
                        item = step(given)
                except StopIteration as end:
                    return end.value
                try:
                    step, given = steps.send, (yield item)
                except GeneratorExit:
                    with Held(context):
                        steps.close()
                    raise
                except BaseException as error:
                    step, given = steps.throw, error

    return call


def _around_async_generator(function: Callable[..., Any], start: Callable[[], AbstractContextManager[Context]]) -> Any:
    @wraps(function)
    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        with start() as context:
            with Held(context):
                steps = function(*args, **kwargs)
            step, given = steps.asend, None
            while True:
                try:
                    with Held(context):
                        item = await step(given)
                except StopAsyncIteration:
                    return
                try:
                    step, given = steps.asend, (yield item)
                except GeneratorExit:
                    with Held(context):
                        await steps.aclose()
                    raise
                except BaseException as error:
                    step, given = steps.athrow, error

    return call
