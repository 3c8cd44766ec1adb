"""The search for values finds them: in every form, and in each place where every other test is searched."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from leaks import VALUES, Caught, shown
from needles import forms, found_in
from secretkit import SecretValue
from secretkit.exceptions import NotFound, SecretError

VALUE = VALUES[0]


def test_the_forms_are_those_of_the_test_kit() -> None:
    """Which the search of the Rust tests reads, too."""
    path = Path(__file__).parents[2] / "secretkit-core/testkit/needles.json"
    listed = json.loads(path.read_text())
    assert len(listed) >= 3
    for value, forms_of_it in listed.items():
        assert sorted(form.hex() for form in forms(bytes.fromhex(value))) == forms_of_it, value


def test_every_form_is_found_anywhere() -> None:
    for value in (*VALUES, b"a \"longer\" one, of /two/ words", b"\x00\xff\x10binary\xfe"):
        assert len(forms(value)) >= 9
        for form in forms(value):
            assert found_in(b"before " + form + b" after", [b"another value", value]) is not None, form
    assert found_in("hunter", VALUES) is None and found_in("short", [b"short"]) is None


def test_errors_are_searched(errors_made: Caught) -> None:
    assert SecretValue("x").text() == "x"
    with pytest.raises(SecretError):
        raise NotFound(f"not found: {VALUE.decode()}")
    leak = errors_made.leak()
    assert leak is not None and "NotFound" in leak
    errors_made.errors.clear()


def test_the_locals_of_our_frames_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leaks._PACKAGE", str(Path(__file__).parent))

    def holds() -> None:
        held = VALUE.hex()
        raise KeyError(len(held))

    try:
        holds()
    except KeyError as error:
        assert found_in("\n".join(shown(error)), VALUES) == VALUE.hex().encode()
        monkeypatch.undo()
        assert found_in("\n".join(shown(error)), VALUES) is None, "a frame of the test's own"
    else:
        pytest.fail("it must not return")


def test_outputs_are_searched(capfd: pytest.CaptureFixture[str]) -> None:
    print_it = f"import sys; print(bytes.fromhex('{VALUE.hex()}').decode(), file=sys.stderr)"
    with pytest.raises(AssertionError, match="on standard error"):
        subprocess.run([sys.executable, "-c", print_it], capture_output=True)
    subprocess.run([sys.executable, "-c", print_it])
    with pytest.raises(AssertionError, match="on standard error"):
        capfd.readouterr()


def test_what_is_left_of_the_outputs_is_searched(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("from leaks import pytest_runtest_makereport\n")
    (tmp_path / "test_it.py").write_text("def test_it(): print('aHVudGVyMg==')\ndef test_other(): print('hunter')\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--rootdir", str(tmp_path), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert "1 failed, 1 passed" in done.stdout and "holds a value" in done.stdout, done.stdout
