"""What `docs/coming-from.md` says in Python is what happens."""

import os
import re
from pathlib import Path
from typing import Any

import secretkit
from secretkit import Secret, current_context, task
from secretkit.testing import memory_secrets

PAGE = (Path(__file__).parents[2] / "docs" / "coming-from.md").read_text(encoding="utf-8")
VALUES = {"my_secret": "of my_secret", "cert": "of cert", "db/password": "of db/password"}
IMPORT = re.compile(r"^from (flytekit|secretkit) import ([\w, ]+?) +# (there|here)$", flags=re.MULTILINE)


def expressions() -> list[str]:
    """The right side of the table of calls."""
    table = PAGE.split("| flytekit, flyte | in Python here |\n|---|---|\n")[1].split("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in table.split("\n")]
    return [here.strip("`") for _, here in rows]


def test_the_calls_of_the_table() -> None:
    names: dict[str, Any] = {"Secret": Secret, "current_context": current_context, "os": os}
    asked = [text for text in expressions() if text.startswith("Secret(")]
    calls = [text for text in expressions() if text not in asked]
    assert len(asked) == 7 and len(calls) == 7

    def evaluate() -> dict[str, Any]:
        return {call: eval(call, names) for call in calls}

    with memory_secrets(VALUES):
        got = task(secret_requests=[eval(text, names) for text in asked])(evaluate)()
    for call, value in got.items():
        name = "db/password" if "password" in call else "my_secret"
        if "get_secrets_file" in call:
            assert name in str(value) and not Path(value).exists()
        else:
            assert value == (VALUES[name].encode() if "rb" in call else VALUES[name]), call


def test_the_import_is_all_that_changes() -> None:
    lines = IMPORT.findall(PAGE)
    assert [(module, where) for module, _, where in lines] == [("flytekit", "there"), ("secretkit", "here")]
    assert lines[0][1] == lines[1][1]
    assert all(hasattr(secretkit, name) for name in lines[1][1].split(", "))
