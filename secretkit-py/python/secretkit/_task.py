"""`@task` and `@workflow`."""

from __future__ import annotations

from secretkit import _consumer, _environment, _settings
from secretkit._around import around
from secretkit._context import Context
from secretkit._secret import Secret
from secretkit._secretkit import TaskSecrets
from secretkit.exceptions import InvalidRequest, SecretError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, ClassVar, TypeVar, overload

    from secretkit._secretkit import Request, Variable

    F = TypeVar("F", bound=Callable[..., Any])
else:

    def overload(function: object) -> object:
        """What `typing.overload` is to a type checker."""
        return function


MARK = "__secretkit_task__"


@overload
def task(function: F, /) -> F: ...
@overload
def task(
    function: None = None, /, *, secret_requests: Sequence[Secret] | None = None, **ignored: object
) -> Callable[[F], F]: ...
def task(function: Any = None, /, *, secret_requests: Sequence[Secret] | None = None, **ignored: object) -> Any:
    """Makes a function a task: while it runs, `current_context().secrets` has what `secret_requests` names.

    Everything is fetched once, when the task starts, and kept until it ends. A secret that is requested as an
    environment variable or as a file must be there when the task starts; any other fails when it is read. Variables
    are set back and files removed when the task ends, whichever way it ends.

    Do not return secret values from tasks, as this will expose secrets to whatever runs them: its logs, its
    database, its control plane.

    Where the host says so with `register_consumers`, the task registers as a consumer of what it gets.

    Functions may be plain, coroutines or generators. A generator may be left half done, so it may not request
    variables or files. A variable that names a file can belong to one run at a time, because each run has a file of its
    own. Other keywords, which flytekit knows, are accepted with a warning and have no effect.
    """
    _warn_of("task", ignored)
    requests = _checked(secret_requests)

    def decorate(function: F) -> F:
        if not callable(function):
            raise InvalidRequest(f"invalid secret request: @task decorates a function, not {_kind(function)}")
        if any(request.beside for request in requests):
            _refuse_generator(function)
        name = _consumer.name_of(function)
        made = around(function, lambda: Run(requests, name), _refuse_coroutine if requests else None)
        # By this `secretkit run --task` knows it.
        setattr(made, MARK, True)
        return made

    return decorate if function is None else decorate(function)


@overload
def workflow(function: F, /) -> F: ...
@overload
def workflow(function: None = None, /, **ignored: object) -> Callable[[F], F]: ...
def workflow(function: Any = None, /, **ignored: object) -> Any:
    """Marks a function that calls tasks. It changes nothing: secretkit runs no workflows, your program does."""
    _warn_of("workflow", ignored)
    return (lambda function: function) if function is None else function


def _refuse_coroutine(returned: object) -> None:
    """A coroutine has done nothing yet, and would run when the task has ended: without its variables and files, and with
    whatever else the process may read. So it is with an asynchronous function behind a decorator that is none.
    """
    from inspect import iscoroutine

    if iscoroutine(returned):
        returned.close()
        raise InvalidRequest(
            "invalid secret request: the task returned a coroutine, which would run when the task and its secrets are gone; "
            "put @task directly above the async function, below all other decorators"
        )


class Run:
    """One run of a task, from fetching what it requested to wiping it."""

    __slots__ = ("_name", "_requests", "_secrets", "_variables")

    begun: ClassVar[bool] = False
    """Whether any task of the process has got what it requested, for `run --task`."""

    _secrets: TaskSecrets
    _variables: list[Variable]

    def __init__(self, requests: list[Request], name: str) -> None:
        self._requests = requests
        self._name = name

    def __enter__(self) -> Context:
        overlay = _settings.overlay.get()
        if self._requests:
            settings = _settings.current()
            consumer = self._name if settings.registers() else None
            self._secrets = TaskSecrets._of_task(settings.secrets(), self._requests, consumer)
        else:
            self._secrets = TaskSecrets._of_nothing()
        self._variables = self._secrets._variables()
        try:
            if self._secrets._unregistered is not None:
                _consumer.warn(self._secrets, self._name)
            _environment.claim(self._variables)
        except BaseException:
            self._secrets._end()
            raise
        Run.begun = True
        return Context(self._secrets, overlay)

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        try:
            _environment.release(self._variables)
        finally:
            try:
                self._secrets._end()
            except SecretError:
                # The task's own error matters more than a file that stays, which the next task clears up.
                if error is None:
                    raise


def _checked(secret_requests: Sequence[Secret] | None) -> list[Request]:
    if secret_requests is None:
        return []
    if not isinstance(secret_requests, (list, tuple)):
        raise InvalidRequest(f"invalid secret request: secret_requests is a list, not {_kind(secret_requests)}")
    for secret in secret_requests:
        if not isinstance(secret, Secret):
            raise InvalidRequest(
                f"invalid secret request: secret_requests holds secretkit.Secret objects, not {_kind(secret)}"
            )
    return [secret._request() for secret in secret_requests]


def _refuse_generator(function: Callable[..., Any]) -> None:
    from inspect import isasyncgenfunction, isgeneratorfunction

    if isgeneratorfunction(function) or isasyncgenfunction(function):
        raise InvalidRequest(
            "invalid secret request: a generator may be left half done, so it cannot hold environment variables or "
            "files; read its secrets with current_context().secrets.get"
        )


def _warn_of(decorator: str, ignored: dict[str, object]) -> None:
    if ignored:
        from warnings import warn

        names = ", ".join(ignored)
        warn(f"secretkit's @{decorator} accepts these keywords and ignores them: {names}", stacklevel=3)


def _kind(value: object) -> str:
    # The type and never the value: people paste secrets where names belong.
    return f"{type(value).__name__!r}"
