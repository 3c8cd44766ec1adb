"""The stubs say what the compiled module is, and the package is typed."""

import ast
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from secretkit import _secretkit

PACKAGE = Path(__file__).parent.parent


def run(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_stub_is_the_module(tmp_path: Path) -> None:
    config = str(PACKAGE / "pyproject.toml")
    allowlist = str(PACKAGE / "stubtest-allowlist.txt")
    run("mypy.stubtest", "secretkit._secretkit", "--mypy-config-file", config, "--allowlist", allowlist)


def described(stub: ast.Module) -> Iterator[tuple[str, object, str]]:
    """What the stub describes: its name, what is there when it runs, and the words."""
    for each in stub.body:
        if isinstance(each, (ast.ClassDef, ast.FunctionDef)):
            there = getattr(_secretkit, each.name)
            yield each.name, there, ast.get_docstring(each) or ""
            for member in each.body:
                if isinstance(member, ast.FunctionDef) and not member.name.startswith("__"):
                    yield f"{each.name}.{member.name}", getattr(there, member.name), ast.get_docstring(member) or ""


def test_help_says_what_the_stub_says() -> None:
    stub = ast.parse((PACKAGE / "python" / "secretkit" / "_secretkit.pyi").read_text(encoding="utf-8"))
    said = [(name, inspect.getdoc(there), words) for name, there, words in described(stub) if words]
    assert len(said) > 70
    assert [(name, runs) for name, runs, words in said if runs != words] == []


def test_the_package_is_strictly_typed(tmp_path: Path) -> None:
    run("mypy", "--config-file", str(PACKAGE / "pyproject.toml"), "--cache-dir", str(tmp_path))


def test_users_get_types(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        """
from typing import assert_type

import secretkit
from secretkit import Secret, current_context, task, workflow

@task(secret_requests=[Secret(key="token")])
def t1(a: int) -> str:
    assert_type(current_context().secrets.get("token", encode_mode="rb"), bytes)
    assert_type(current_context().secrets.get_secrets_file("token"), str)
    return current_context().secrets.get(key="token")

@task
async def t2() -> bytes:
    return secretkit.open("memory:").get("token").bytes()

def listed(secrets: secretkit.Secrets) -> None:
    assert_type(secrets.list(), list[secretkit.SecretInfo])
    assert_type(next(secrets.iterate(within="acme/etl", expiring="30d")), secretkit.SecretInfo)
    assert_type([each.hides for each in secrets.effective()], list[tuple[secretkit.SecretInfo, ...]])
    assert_type(secrets.history(id="i"), list[secretkit.RevisionInfo])
    assert_type(secrets.prune_consumers("n", unseen_since="90d"), list[secretkit.ConsumerInfo])
    secrets.edit("n", description=None, tags=None, expires=None, keep=None)
    secrets.edit("n", active=None)  # type: ignore[call-overload]
    secrets.update("n")  # type: ignore[call-overload]
    secrets.update(id="i", value="v")
    secrets.update(id="i")  # type: ignore[call-overload]
    secrets.verify_value(id="i", value="v")
    secrets.verify_value(id="i")  # type: ignore[call-overload]
    secrets.add_consumer(id="i", consumer="c")
    secrets.add_consumer(id="i")  # type: ignore[call-overload]
    secrets.remove_consumer(id="i", consumer="c")
    secrets.remove_consumer(id="i")  # type: ignore[call-overload]
    secrets.info()  # type: ignore[call-overload]
    secrets.info("n", id="i")  # type: ignore[call-overload]
    with secrets.get("token").expose() as view:
        assert_type(view, memoryview)

@workflow
def wf() -> str:
    return t1(a=1)

assert_type(wf(), str)
t1("a")  # type: ignore[arg-type]
"""
    )
    run(
        "mypy",
        "--strict",
        "--python-version",
        "3.11",
        "--warn-unused-ignores",
        "--cache-dir",
        str(tmp_path),
        str(program),
    )
