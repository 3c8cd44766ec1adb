"""What `docs/python.md` shows is what happens."""

import doctest
import re
from pathlib import Path

import pytest

import secretkit

GUIDE = Path(__file__).parents[2] / "docs" / "python.md"


def test_the_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = GUIDE.read_text(encoding="utf-8")
    session = "\n".join(re.findall(r"^```pycon\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL))
    test = doctest.DocTestParser().get_doctest(session, {}, GUIDE.name, str(GUIDE), 0)
    assert len(test.examples) == text.count("\n>>> ") > 20
    said: list[str] = []
    failed, _ = doctest.DocTestRunner().run(test, out=said.append)
    assert failed == 0, "".join(said)


def test_its_keywords_are_those_of_the_calls() -> None:
    table = GUIDE.read_text(encoding="utf-8").split("| keyword |")[1].split("\n\n")[0]
    named = set(re.findall(r"^\| `(\w+)`", table, flags=re.MULTILINE))
    taken = secretkit.Secrets.edit.__text_signature__  # type: ignore[attr-defined]
    assert named == set(re.findall(r"(\w+)=", taken)) - {"name", "id", "add_tags", "remove_tags"}
