"""docs/format.md is enough to open a record: a script that knows only the document and a cryptography package does it."""

import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]
SCRIPT = ROOT / "examples/python/open_vector.py"
VECTOR = ROOT / "secretkit-core/testkit/record-v1.json"


def opened(*vector: pathlib.Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *vector], capture_output=True, text=True)


def test_the_vector_opens() -> None:
    ended = opened(VECTOR)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "opened revision 3 of db/password: 28 bytes, head and digest hold\n"


def test_without_a_vector_it_says_what_it_takes() -> None:
    ended = opened()
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", "usage: python open_vector.py VECTOR.json\n")


def test_an_altered_vector_does_not(tmp_path: pathlib.Path) -> None:
    vector = json.loads(VECTOR.read_text())
    altered = tmp_path / "altered.json"
    for field in ("record", "digest", "head_mac", "root_key"):
        last = vector[field][-1]
        altered.write_text(json.dumps(vector | {field: vector[field][:-1] + ("0" if last != "0" else "1")}))
        assert opened(altered).returncode != 0, field
    head = vector["head"]
    for field in ("generation", "inactive_since", "expires_at", "description", "project", "key", "revision"):
        altered.write_text(json.dumps(vector | {"head": head | {field: changed(head[field])}}))
        assert opened(altered).returncode != 0, field
    for row in ("usage", "consumer"):
        altered.write_text(json.dumps(vector | {row: vector[row] | {"at": vector[row]["at"] + 1}}))
        assert opened(altered).returncode != 0, row


def changed(value: str | int | None) -> str | int:
    if value is None:
        return 0
    return value + "x" if isinstance(value, str) else value ^ 1
