"""`secretkit.run`: the child gets the values, and nobody else does."""

import os
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

import secretkit
from conftest import left_in
from places import Places
from secretkit import Secrets
from secretkit.exceptions import InvalidName, InvalidRequest, InvalidVariable, NotFound, Undeliverable

DUMP = [sys.executable, "-c", "import os, sys; sys.stdout.buffer.write(os.environb[b'VALUE'])"]
VALUES = [
    b"",
    b"plain",
    b"'\"`touch ran`$(touch ran)$HOME\\",
    b"two\nlines\n",
    b"FOO=1\nBAR=2",
    b"; touch ran #",
    bytes(range(1, 256)),
    b"\xff\xfe",
    "é 🔑".encode(),
    b"x" * 65_536,
]


@pytest.mark.parametrize("value", VALUES)
def test_a_value_arrives_exactly(secrets: Secrets, value: bytes, tmp_path: Path) -> None:
    secrets.create("token", value)
    done = secretkit.run(DUMP, env={"VALUE": "token"}, stdout=subprocess.PIPE, check=True, cwd=tmp_path)
    assert done.stdout == value
    assert not (tmp_path / "ran").exists()
    assert "VALUE" not in os.environ


def test_a_file_is_there_while_the_child_runs(secrets: Secrets, places: Places, mounts: Path) -> None:
    secretkit.configure(**places, mount_base=mounts)
    secrets.create("tls.key", b"before\0after\xff")
    script = "import os, sys; p = os.environ['KEY']; print(oct(os.stat(p).st_mode)); sys.stdout.flush(); "
    script += "sys.stdout.buffer.write(open(p, 'rb').read())"
    for files in ({"KEY": "tls.key"}, ["tls.key=KEY"]):
        done = secretkit.run([sys.executable, "-c", script], files=files, capture_output=True, check=True)
        assert done.stdout == b"0o100400\nbefore\0after\xff"
        assert left_in(mounts) == []


def test_it_takes_what_subprocess_takes(secrets: Secrets, mounts: Path, places: Places) -> None:
    secretkit.configure(**places, mount_base=mounts)
    secrets.create("group/API_KEY", "k3y")
    done = secretkit.run("cat; echo $API_KEY", env=["group/API_KEY"], shell=True, text=True, input="in ", stdout=-1)
    assert (done.returncode, done.stdout) == (0, "in k3y\n")
    assert secretkit.run(["sh", "-c", "exit 7"]).returncode == 7
    with pytest.raises(subprocess.CalledProcessError):
        secretkit.run(["false"], files={"F": "group/API_KEY"}, check=True)
    with pytest.raises(subprocess.TimeoutExpired):
        secretkit.run(["sleep", "60"], files={"F": "group/API_KEY"}, timeout=0.2)
    done = secretkit.run(["/usr/bin/env"], env=["group/API_KEY=A"], environ={"ONLY": "this"}, stdout=subprocess.PIPE)
    assert done.stdout.splitlines() == [b"ONLY=this", b"A=k3y"]
    assert left_in(mounts) == []


def test_what_cannot_be_delivered_runs_nothing(secrets: Secrets, tmp_path: Path) -> None:
    secrets.create("nul", b"a\0b")
    secrets.create("one", "1")
    secrets.create("two", "2")
    ran = tmp_path / "ran"
    touch = ["touch", str(ran)]
    with pytest.raises(NotFound, match=r"gone.*lost"):
        secretkit.run(touch, env={"A": "gone", "B": "one"}, files={"C": "db/lost"})
    with pytest.raises(Undeliverable, match="NUL"):
        secretkit.run(touch, env={"A": "nul"})
    with pytest.raises(InvalidVariable, match=r"default:one.*default:two"):
        secretkit.run(touch, env={"A": "one"}, files={"A": "two"})
    with pytest.raises(InvalidVariable):
        secretkit.run(touch, env=["tls.key"])
    with pytest.raises(InvalidName):
        secretkit.run(touch, env={"A": "a/b/c"})
    for wrong in ("one", 7, [7], {"A": None}, {7: "one"}):
        with pytest.raises(InvalidRequest):
            secretkit.run(touch, env=wrong)  # type: ignore[arg-type]
    assert not ran.exists()


def test_no_frame_of_an_error_holds_a_value(secrets: Secrets) -> None:
    secrets.create("token", "cAnArY")
    with pytest.raises(FileNotFoundError) as raised:
        secretkit.run(["/no/such/command"], env={"TOKEN": "token"})
    captured = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
    assert "cAnArY" not in "".join(captured.format())


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc to look into")
def test_the_parents_environment_never_has_them(secrets: Secrets) -> None:
    secrets.create("token", "cAnArY")
    look = "cat /proc/$PPID/environ | grep -c cAnArY; test \"$TOKEN\" = cAnArY && echo seen"
    done = secretkit.run(["sh", "-c", look], env={"TOKEN": "token"}, stdout=subprocess.PIPE, text=True)
    assert done.stdout == "0\nseen\n"


def test_the_configured_scope_answers(places: Places, secrets: Secrets) -> None:
    secrets.create("acme:token", "org")
    secrets.create("acme/*/production:token", "production")
    for domain, expected in (("production", b"production"), ("staging", b"org")):
        with secretkit.context(org="acme", project="etl", domain=domain):
            done = secretkit.run(DUMP, env={"VALUE": "token"}, stdout=subprocess.PIPE)
        assert done.stdout == expected
