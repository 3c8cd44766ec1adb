"""When a secret was last used and by whom: recorded later, and never in the way of anybody."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import secretkit
from forks import in_a_fork
from places import Places
from secretkit import Secret, Secrets, current_context, task
from secretkit.exceptions import ReadOnly, RegistrationWarning

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")


@task(secret_requests=[Secret("token")])
def read() -> str:
    return current_context().secrets.get("token")


def python(code: str, places: Places, actor: str) -> None:
    environ = {**os.environ, "SECRETKIT_STORE": places["store"], "SECRETKIT_KEY": places["key"], "SECRETKIT_ACTOR": actor}
    ended = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_task_is_a_use_when_it_has_ended(secrets: Secrets) -> None:
    made = secrets.create("token", "t")
    assert (made.last_used_at, made.last_used_by) == (None, None)
    assert secrets.info("token").last_used_at is None
    assert read() == "t"
    info = secrets.info("token")
    assert info.last_used_at is not None and info.last_used_by == made.created_by
    assert datetime.now(timezone.utc) - info.last_used_at < timedelta(minutes=1)
    assert (info.generation, info.updated_at) == (1, made.updated_at)
    assert secrets.list()[0].last_used_at == next(secrets.iterate()).last_used_at == info.last_used_at
    assert next(secrets.effective()).info.last_used_by == info.last_used_by
    assert secrets.update("token", "other").last_used_at is None, "a write does not tell"
    assert secrets.info("token").last_used_at == info.last_used_at


READS = {
    "in a session": "from secretkit import current_context; current_context().secrets.get('token')",
    "from an open store": "import secretkit; secretkit.open().get('token')",
    "from a store that is gone": "import secretkit; s = secretkit.open(); s.get('token'); del s",
    "with an error afterwards": "import secretkit; s = secretkit.open(); s.get('token'); raise SystemExit(0)",
    "in a forked child": "import os, sys, secretkit; s = secretkit.open(); s.list(); p = os.fork(); p and sys.exit("
    "os.waitstatus_to_exitcode(os.waitpid(p, 0)[1])); s.get('token')",
    "in a task": "from secretkit import *\n@task(secret_requests=[Secret('token')])\ndef t(): pass\nt()",
}


@pytest.mark.parametrize("how", READS)
def test_another_process_records_what_it_read_by_its_end(how: str, secrets: Secrets, places: Places) -> None:
    secrets.create("token", "t")
    python("import warnings; warnings.simplefilter('ignore')\n" + READS[how], places, "reader@elsewhere")
    info = secrets.info("token")
    assert info.last_used_by == "reader@elsewhere" and info.last_used_at is not None


@pytest.mark.parametrize("call", ["info('token')", "list()", "verify_value('token', 't')", "history('token')"])
def test_a_look_is_no_use(call: str, secrets: Secrets, places: Places) -> None:
    secrets.create("token", "t")
    python(f"import secretkit; secretkit.open().{call}", places, "reader@elsewhere")
    assert secrets.info("token").last_used_at is None


def test_a_fork_in_a_task_and_after_a_read(secrets: Secrets) -> None:
    secrets.create("token", "t")
    current_context().secrets.get("token")

    def work() -> None:
        assert current_context().secrets.get("token") == "t"
        assert read() == "t"

    in_a_fork(work)
    assert secrets.info("token").last_used_at is not None, "the child's task recorded what was noted"


LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


def test_no_exit_waits_for_a_writer(secrets: Secrets, places: Places) -> None:
    secrets.create("token", "t")
    path = places["store"].removeprefix("sqlite:")
    with subprocess.Popen([sys.executable, "-c", LOCK, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None and writer.stdin is not None
        assert writer.stdout.readline() == b"locked\n"
        started = time.monotonic()
        python(READS["in a session"], places, "reader@elsewhere")
        python(READS["in a task"], places, "reader@elsewhere")
        # A write would wait for five seconds.
        assert time.monotonic() - started < 4
        writer.stdin.close()
    assert secrets.info("token").last_used_at is None, "it may be lost"


@pytest.fixture
def read_only() -> Iterator[dict[str, str]]:
    """A store in a place where its reader, who is not root, may not write."""
    base = Path(tempfile.mkdtemp(prefix="secretkit-test-"))
    try:
        secretkit.create_root_key(base / "root.key")
        places = {"store": f"sqlite:{base / 'store' / 'secrets.db'}", "key": f"file:{base / 'root.key'}"}
        # Closed at its end, so that there is no log beside it.
        write = "import secretkit, sys; secretkit.open(*sys.argv[1:]).create('token', 't')"
        subprocess.run([sys.executable, "-c", write, places["store"], places["key"]], check=True)
        for path in [base, *base.rglob("*")]:
            path.chmod(0o500 if path.is_dir() else 0o400)
            if os.getuid() == 0:
                os.chown(path, NOBODY, NOBODY)
        yield places
    finally:
        for path in [base, base / "store"]:
            path.chmod(0o700)
        shutil.rmtree(base)


NOBODY = 65534


def test_a_store_that_can_only_be_read_is_read(read_only: dict[str, str]) -> None:
    def work() -> None:
        if os.getuid() == 0:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        secretkit.configure(store=read_only["store"], key=read_only["key"], register_consumers=True)
        with pytest.warns(RegistrationWarning, match="is not registered .* read-only"):
            assert read() == "t"
        assert read() == "t"
        assert current_context().secrets.get("token") == "t"
        secrets = secretkit.open(read_only["store"], read_only["key"])
        assert secrets.get("token").text() == "t"
        secrets.record_uses()
        assert secrets.info("token").last_used_at is None
        with pytest.raises(ReadOnly):
            secrets.edit("token", description="d")

    in_a_fork(work)
