"""No value in what a test prints, captures or catches: looked for after each test, whatever it is about.

What a program of a test prints on standard output may be a value, because that is how it shows what it got.
"""

import subprocess
import traceback
from collections.abc import Generator, Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import pytest

import secretkit
from needles import found_in
from secretkit.exceptions import SecretError

# What the tests store, where a test is not about single bytes.
VALUES = (b"hunter2", b"cAnArY-7fZq", b"cAnArY-9f27c3")

_PACKAGE = str(Path(secretkit.__file__).parent)


class Caught:
    """The errors that came up in a test."""

    def __init__(self) -> None:
        self.errors: list[BaseException] = []
        # Off where a test puts a value into a place that is not for values: then our frames hold it as an argument.
        self.in_frames = True

    def leak(self) -> str | None:
        """The form of a value that one of them shows, in itself or in a frame of ours."""
        for error in self.errors:
            for text in shown(error, self.in_frames):
                if (form := found_in(text, VALUES)) is not None:
                    return f"{type(error).__name__} shows {form!r} in {text!r}"
        return None


def shown(error: BaseException, in_frames: bool = True) -> Iterator[str]:
    """What reporters print of an error: itself, its causes, and the local variables of every frame of the package."""
    seen: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo:
        each = todo.pop()
        if each is None or any(each is one for one in seen):
            continue
        seen.append(each)
        if isinstance(each, SecretError):
            yield from (str(each), repr(each), repr(each.args), repr(vars(each)))
            yield "".join(traceback.format_exception_only(type(each), each))
        if in_frames:
            frames = of_the_package(each.__traceback__)
            yield from traceback.StackSummary.extract(frames, capture_locals=True).format()
        todo += [each.__cause__, each.__context__]


def of_the_package(trace: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    return (pair for pair in traceback.walk_tb(trace) if pair[0].f_code.co_filename.startswith(_PACKAGE))


@pytest.fixture(autouse=True)
def errors_made(monkeypatch: pytest.MonkeyPatch) -> Iterator[Caught]:
    caught = Caught()

    def made(error: SecretError, *arguments: object) -> None:
        super(SecretError, error).__init__(*arguments)
        caught.errors.append(error)

    def run(*arguments: Any, **options: Any) -> Any:
        done = _run(*arguments, **options)
        told = done.stderr or b""
        assert found_in(told, VALUES) is None, f"a value on standard error: {told!r}"
        return done

    def readouterr(captured: pytest.CaptureFixture[Any]) -> Any:
        told = _readouterr(captured)
        assert found_in(told.err, VALUES) is None, f"a value on standard error: {told!r}"
        return told

    monkeypatch.setattr(SecretError, "__init__", made)
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(pytest.CaptureFixture, "readouterr", readouterr)
    yield caught
    leak = caught.leak()
    caught.errors.clear()
    assert leak is None, leak


_run = subprocess.run
_readouterr = pytest.CaptureFixture.readouterr


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What nobody took of the captured outputs and logs."""
    report = yield
    if report.passed:
        for name, text in report.sections:
            if (form := found_in(text, VALUES)) is not None:
                report.outcome, report.longrepr = "failed", f"{item.nodeid}: {name} holds a value: {form!r}"
    return report
