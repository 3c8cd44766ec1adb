"""`secretkit run --task FILE:FUNCTION`."""

from __future__ import annotations

import linecache
import os
import re
import signal
import sys
import traceback

from secretkit import _settings
from secretkit._task import MARK, Run
from secretkit.exceptions import SecretError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, ModuleType
    from typing import Any

    from secretkit._secretkit import CalledTask


def run_task(called: CalledTask) -> int:
    """Runs the task at the scope that the command line names, and returns the exit code: 0, or 1 for an exception.

    What the task returns is not printed: it may hold a value, and what is printed ends up in logs.
    """
    _end_by_unwinding()
    try:
        if not os.path.isfile(called.file):
            return called.fail("file_missing", f"{called.file}: no such file", "")
        secrets = called.secrets()
    except SecretError as error:
        return called.fail(error.kind, str(error), "")
    _settings.use(secrets)
    with _settings.context(secrets=secrets):
        try:
            module = _loaded(called)
            # Whatever the file has configured for the process: the command line has the last word, in threads, too.
            _settings.use(secrets)
            return _call(called, module)
        except SystemExit:
            raise
        except KeyboardInterrupt:
            return 128 + signal.SIGINT
        except BaseException as error:
            sys.stderr.writelines(report(error))
            return 1


def _call(called: CalledTask, module: ModuleType) -> int:
    import inspect

    function: Callable[..., Any] | None = getattr(module, called.function, None)
    if not getattr(function, MARK, False) or function is None:
        tasks = [name for name, value in vars(module).items() if getattr(value, MARK, False)]
        message = "--task names no task of the file" if function is None else "--task names what is no task"
        hint = f"its tasks are: {', '.join(tasks)}" if tasks else "a task is a function with secretkit's @task"
        return called.fail("usage", message, hint)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return called.fail("usage", "the task is a generator, which nobody here would consume", "")
    signature = inspect.signature(function)
    try:
        signature.bind(*called.arguments)
    except TypeError:
        taken = ", ".join(signature.parameters) or "none"
        hint = f"they stand behind --, each is a str, and the task takes: {taken}"
        return called.fail("usage", "these are not the task's arguments", hint)
    # What the file did while it was loaded does not count.
    Run.begun = False
    try:
        if inspect.iscoroutinefunction(function):
            import asyncio

            asyncio.run(function(*called.arguments))
        else:
            function(*called.arguments)
    except SecretError as error:
        if Run.begun:
            raise
        return called.fail(error.kind, str(error), "")
    return 0


def _loaded(called: CalledTask) -> ModuleType:
    """The file as a module that finds its neighbours, as `python FILE` would run it, but without its `__main__` part."""
    from importlib.machinery import SourceFileLoader
    from importlib.util import module_from_spec, spec_from_loader

    path = os.path.abspath(called.file)
    name = os.path.splitext(os.path.basename(path))[0]
    if not name.isidentifier() or name in sys.modules or name in sys.stdlib_module_names:
        name = "__secretkit_task__"
    spec = spec_from_loader(name, SourceFileLoader(name, path))
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    sys.argv = [called.file, *called.arguments]
    sys.path.insert(0, os.path.dirname(path))
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _end_by_unwinding() -> None:
    """Has these signals end the task as an exception does, so that its files and variables go."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end)


_PACKAGE = os.path.dirname(__file__)


def report(error: BaseException, after: tuple[BaseException, ...] = ()) -> Iterator[str]:
    """The traceback of an exception and of those that led to it, without messages that may quote a value."""
    # An exception may be its own cause, by way of others.
    seen = (*after, error)
    cause, context = error.__cause__, None if error.__suppress_context__ else error.__context__
    if cause is not None and cause not in seen:
        yield from report(cause, seen)
        yield "\nThe above exception was the direct cause of the following exception:\n\n"
    elif context is not None and context not in seen:
        yield from report(context, seen)
        yield "\nDuring handling of the above exception, another exception occurred:\n\n"
    frames = traceback.extract_tb(error.__traceback__)
    shown = [frame for frame in frames if not frame.filename.startswith((_PACKAGE + os.sep, "<frozen importlib"))]
    if shown:
        yield "Traceback (most recent call last):\n"
        yield from traceback.format_list(shown)
    if _quotes_no_data(error):
        yield from traceback.format_exception_only(type(error), error)
    else:
        kind = type(error)
        name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        yield f"{name}: (its message is not shown, because it may quote a value)\n"
    # An ExceptionGroup, which Python 3.10 does not have.
    for number, inner in enumerate(getattr(error, "exceptions", ()), 1):
        if isinstance(inner, BaseException) and inner not in seen:
            yield f"\n{number} of the above:\n"
            yield from report(inner, seen)


def _quotes_no_data(error: BaseException) -> bool:
    """Whether the message of an exception is about code that is shown anyway, or our own.

    Any other may quote a value, as that of `int(value)` does. `ast.literal_eval(value)` quotes it as a line of code, and
    `eval(value)` and `import_module(value)` as a name.
    """
    if isinstance(error, SecretError):
        return True
    if isinstance(error, SyntaxError):
        line = linecache.getline(error.filename or "", error.lineno or 0)
        return bool(line.strip()) and line.strip() == (error.text or "").strip()
    if isinstance(error, (NameError, ImportError)):
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.line or "" for frame in frames if not frame.filename.startswith("<frozen importlib")]
        names = (error.name or "").split(".")
        return bool(lines) and {*names} <= {*re.findall(r"\w+", lines[-1])}
    return False
