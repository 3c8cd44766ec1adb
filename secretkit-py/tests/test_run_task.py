"""`secretkit run --task FILE:FUNCTION`, by the console script."""

import json
import os
import signal
import subprocess
import sysconfig
from pathlib import Path

import pytest

from conftest import left_in
from places import Places
from secretkit import Secrets

SCRIPT = str(Path(sysconfig.get_path("scripts")) / "secretkit")
CANARY = "cAnArY-7fZq"

PIPELINE = '''
import asyncio, os, signal, sys, time
from secretkit import Secret, current_context, task
import neighbour

@task(secret_requests=[Secret(key="token"), Secret(key="token", env_var="TOKEN"),
                       Secret(key="token", mount_requirement=Secret.MountType.FILE)])
def load(*names, kind="str"):
    secrets = current_context().secrets
    path = secrets.get_secrets_file("token")
    same = secrets.get("token") == os.environ["TOKEN"] == open(path).read()
    print("loaded", same, neighbour.HERE, *names, sys.argv[1:], __name__)
    return secrets.get("token")

@task(secret_requests=[Secret(key="token")])
async def fetch():
    await asyncio.sleep(0)
    print("fetched", len(current_context().secrets.get("token")))

@task(secret_requests=[Secret(key="token", mount_requirement=Secret.MountType.FILE), Secret(key="token")])
def fail():
    value = current_context().secrets.get("token")
    try:
        int(value)
    except ValueError as error:
        raise RuntimeError(value) from error

@task
def turn():
    try: raise KeyError("cAnArY-7fZq")
    except KeyError as error: raise error from error

@task(secret_requests=[Secret(key="nowhere", env_var="X")])
def lacking(): print("never")

@task(secret_requests=[Secret(key="nowhere", env_var="X")])
async def lacking_later(): print("never")

@task
def outer():
    print("begun")
    lacking()

@task(secret_requests=[Secret(key="token")])
def quote(how):
    import ast, importlib
    value = current_context().secrets.get("token").replace("-", "_")
    ways = {
        "literal": lambda: ast.literal_eval("{'pw': " + value + " " + value + "}"),
        "eval": lambda: eval(value),
        "compile": lambda: compile(value + " 1", "pipeline.py", "exec"),
        "import": lambda: importlib.import_module(value),
        "__import__": lambda: __import__(value),
        "attribute": lambda: exec("from os import " + value),
    }
    try: ways[how]()
    except Exception as error: raise RuntimeError from error

@task
def code(how):
    if how == "name": return some_unknown_name
    if how == "module": import an_unknown.module
    if how == "from": from os import an_unknown_name

@task
def leave(code="3"): sys.exit(int(code))

@task(secret_requests=[Secret(key="token", mount_requirement=Secret.MountType.FILE)])
def wait():
    print("ready", flush=True)
    time.sleep(60)

@task
def generate(): yield 1

def plain(): print("never")
NUMBER = 7

if __name__ == "__main__": print("never")
'''


@pytest.fixture
def environment(places: Places, secrets: Secrets, mounts: Path, tmp_path: Path) -> dict[str, str]:
    secrets.create("acme:token", CANARY)
    (tmp_path / "pipeline.py").write_text(PIPELINE)
    (tmp_path / "neighbour.py").write_text("HERE = 'beside'")
    return {
        **os.environ,
        "SECRETKIT_STORE": places["store"],
        "SECRETKIT_KEY": places["key"],
        "SECRETKIT_ORG": "acme",
        "XDG_RUNTIME_DIR": str(mounts),
    }


def run(environment: dict[str, str], tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [SCRIPT, "run", *arguments], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert CANARY not in done.stdout and CANARY not in done.stderr
    return done


def test_a_task_runs_and_its_result_is_not_printed(environment: dict[str, str], tmp_path: Path, mounts: Path) -> None:
    done = run(environment, tmp_path, "--task", "pipeline.py:load", "--project", "etl", "--", "a b", "--kind")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "loaded True beside a b --kind ['a b', '--kind'] pipeline\n"
    assert left_in(mounts) == []
    done = run(environment, tmp_path, "--task", "pipeline.py:fetch")
    assert (done.returncode, done.stdout) == (0, f"fetched {len(CANARY)}\n")


def test_an_exception_gives_a_traceback_without_values(
    environment: dict[str, str], tmp_path: Path, mounts: Path
) -> None:
    done = run(environment, tmp_path, "--task", "pipeline.py:fail")
    assert done.returncode == 1 and done.stdout == ""
    assert "int(value)" in done.stderr and "raise RuntimeError(value) from error" in done.stderr
    assert "\nValueError: (its message is not shown" in done.stderr and "direct cause" in done.stderr
    assert "_run_task.py" not in done.stderr
    assert left_in(mounts) == []
    # The lines of the file are shown as they are: a value has no place there.
    (tmp_path / "pipeline.py").write_text(PIPELINE.replace(CANARY, "x"))
    done = run(environment, tmp_path, "--task", "pipeline.py:turn")
    assert done.returncode == 1 and "\nKeyError: (its message" in done.stderr
    # Once a task has begun, the same error is one of its own.
    done = run(environment, tmp_path, "--task", "pipeline.py:outer", "--project", "etl")
    assert done.returncode == 1 and done.stdout == "begun\n"
    assert "in outer" in done.stderr and "NotFound: not found: nowhere (searched acme/etl, acme)" in done.stderr


def test_a_task_whose_secrets_cannot_be_fetched_is_not_begun(environment: dict[str, str], tmp_path: Path) -> None:
    for task in ("lacking", "lacking_later"):
        done = run(environment, tmp_path, "--task", f"pipeline.py:{task}", "--project", "etl")
        assert (done.returncode, done.stdout) == (125, "")
        assert done.stderr == "error: not found: nowhere (searched acme/etl, acme)\n"
    done = run(environment, tmp_path, "--task", "pipeline.py:fetch", "--store", "sqlite:none.db", "-o", "json")
    assert (done.returncode, done.stdout, json.loads(done.stderr)["error"]) == (125, "", "no_store")


@pytest.mark.parametrize("how", ["literal", "eval", "compile", "import", "__import__", "attribute"])
def test_no_message_quotes_a_value_as_code(environment: dict[str, str], tmp_path: Path, how: str) -> None:
    done = run(environment, tmp_path, "--task", "pipeline.py:quote", "--", how)
    assert done.returncode == 1 and "in quote" in done.stderr and "direct cause" in done.stderr
    assert CANARY.replace("-", "_") not in done.stderr


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("name", "NameError: name 'some_unknown_name' is not defined"),
        ("module", "ModuleNotFoundError: No module named 'an_unknown'"),
        ("from", "ImportError: cannot import name 'an_unknown_name' from 'os'"),
    ],
)
def test_a_message_about_a_name_in_the_code_is_shown(
    environment: dict[str, str], tmp_path: Path, how: str, told: str
) -> None:
    done = run(environment, tmp_path, "--task", "pipeline.py:code", "--", how)
    assert done.returncode == 1 and told in done.stderr


def test_an_exit_passes(environment: dict[str, str], tmp_path: Path) -> None:
    for arguments, code in (((), 3), (("--", "0"), 0), (("--", "42"), 42)):
        done = run(environment, tmp_path, "--task", "pipeline.py:leave", *arguments)
        assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_no_file(
    environment: dict[str, str], tmp_path: Path, mounts: Path, number: signal.Signals
) -> None:
    command = [SCRIPT, "run", "--task", "pipeline.py:wait"]
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE) as waiting:
        assert waiting.stdout is not None and waiting.stdout.readline() == b"ready\n"
        assert len(left_in(mounts)) == 1
        waiting.send_signal(number)
        assert waiting.wait(timeout=20) == 128 + number
    assert left_in(mounts) == []


@pytest.mark.parametrize(
    ("arguments", "kind", "told"),
    [
        (["gone.py:load"], "file_missing", "gone.py: no such file"),
        (["pipeline.py:nothing"], "usage", "its tasks are: load, fetch, fail"),
        (["pipeline.py:plain"], "usage", "what is no task"),
        (["pipeline.py:NUMBER"], "usage", "what is no task"),
        (["pipeline.py:generate"], "usage", "generator"),
        (["pipeline.py:fetch", "--", "too", "many"], "usage", "the task takes: none"),
        (["pipeline.py"], "usage", "FILE:FUNCTION"),
        (["pipeline.py:load", "--key", "file:gone.key"], "file_missing", "gone.key: no such file"),
        (["pipeline.py:load", "--scope", "a/b/c/d"], "invalid_scope", ""),
    ],
)
def test_what_is_no_task_is_said(
    environment: dict[str, str], tmp_path: Path, arguments: list[str], kind: str, told: str
) -> None:
    done = run(environment, tmp_path, "-o", "json", "--task", *arguments)
    assert (done.returncode, done.stdout) == (125, "")
    failure = json.loads(done.stderr)
    assert failure["error"] == kind
    assert told in failure["message"] + failure.get("hint", "")


def test_a_file_that_cannot_be_loaded_is_shown(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def load(:\n")
    done = run(environment, tmp_path, "--task", "broken.py:load")
    assert done.returncode == 1 and "broken.py" in done.stderr and "SyntaxError" in done.stderr
    (tmp_path / "my tasks.txt").write_text("from secretkit import task\n@task\ndef f(): print('any name')\n")
    done = run(environment, tmp_path, "--task", "my tasks.txt:f")
    assert (done.returncode, done.stdout) == (0, "any name\n")


def test_the_command_line_has_the_last_word(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "import secretkit\nfrom secretkit import Secret, current_context, task\n"
        "secretkit.configure(org='other', project='elsewhere')\n"
        "@task(secret_requests=[Secret(key='token')])\n"
        "def f(): print(len(current_context().secrets.get('token')))\n"
    )
    done = run(environment, tmp_path, "--task", "own.py:f", "--org", "acme")
    assert (done.returncode, done.stdout) == (0, f"{len(CANARY)}\n")
    # What the context of the command line is does not reach threads.
    (tmp_path / "own.py").write_text(
        "import secretkit, threading\nfrom secretkit import current_context, task\n"
        "secretkit.configure(org='other', project='elsewhere')\n"
        "@task\n"
        "def f():\n"
        "    def read(): print(len(current_context().secrets.get('token')))\n"
        "    thread = threading.Thread(target=read)\n"
        "    thread.start()\n"
        "    thread.join()\n"
    )
    done = run(environment, tmp_path, "--task", "own.py:f", "--org", "acme")
    assert (done.returncode, done.stdout) == (0, f"{len(CANARY)}\n")


def test_commands_run_from_the_console_script_too(environment: dict[str, str], tmp_path: Path) -> None:
    script = f"test \"$T\" = {CANARY} && grep SigIgn /proc/self/status >&2; exit 9"
    done = run(environment, tmp_path, "--env", "token=T", "--", "sh", "-c", script)
    assert done.returncode == 9
    if Path("/proc/self/status").exists():
        ignored = int(done.stderr.split()[1], 16)
        pythons = 1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1
        assert ignored & pythons == 0, "what Python ignores for itself is not ignored by its child"
