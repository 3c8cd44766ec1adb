"""Forked and spawned processes."""

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import secretkit
from conftest import left_in
from forks import fork_while, fork_while_it_is_used, in_a_fork
from places import Places
from secretkit import Secret, Secrets, current_context, task
from secretkit.testing import memory_secrets

# From Python 3.12 on, a fork with threads around is warned of. That it works all the same is what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")


@task(secret_requests=[Secret(key="token")])
def read() -> str:
    return current_context().secrets.get("token")


def test_a_forked_child_reads_and_writes(secrets: Secrets) -> None:
    secrets.create("token", "first")
    assert read() == "first"

    def work() -> None:
        assert read() == "first"
        assert secrets.get("token").text() == "first"
        secrets.update("token", "of the child")

    in_a_fork(work)
    assert read() == "of the child"


@pytest.mark.parametrize("store", ["sqlite", "memory"])
def test_a_fork_of_a_busy_process_comes_to_an_end(store: str, secrets: Secrets) -> None:
    if store == "memory":
        # Listing many holds the store's lock for most of the time: without the gate, a child finds it held for ever.
        secrets = Secrets.in_memory({f"k{number}": "v" for number in range(500)})
    fork_while_it_is_used(secrets, threads=4, children=30)
    if store == "sqlite":
        assert {info.name for info in secrets.list()} >= {f"child{number}" for number in range(30)}


def test_a_fork_while_stores_are_opened_comes_to_an_end(secrets: Secrets, places: Places) -> None:
    secrets.create("token", "t")

    def open_and_read(_: int) -> None:
        with secretkit.context(store=places["store"], key=places["key"]):
            assert read() == "t"

    fork_while(open_and_read, threads=4, children=20, work=open_and_read)


def test_a_child_forked_within_a_task_leaves_its_files(mounts: Path) -> None:
    @task(
        secret_requests=[Secret(key="cert", mount_requirement=Secret.MountType.FILE), Secret("e", env_var="E_OF_TEST")]
    )
    def t1() -> None:
        secrets = current_context().secrets
        path = secrets.get_secrets_file("cert")

        def work() -> None:
            assert Path(path).read_text() == "c"
            assert secrets.get("cert") == "c"
            assert os.environ["E_OF_TEST"] == "e"
            # The child ends the task that it inherited, as one does that returns from it.
            secrets._end()

        in_a_fork(work)
        assert Path(path).read_text() == "c"
        assert os.environ["E_OF_TEST"] == "e"

    with memory_secrets({"cert": "c", "e": "e"}), secretkit.context(mount_base=mounts):
        t1()
    assert left_in(mounts) == []


def test_multiprocessing_by_fork() -> None:
    fork = multiprocessing.get_context("fork")
    with memory_secrets({"token": "t"}), fork.Pool(2) as pool:
        assert pool.map(_read_numbered, range(4)) == [f"t{number}" for number in range(4)]


def _read_numbered(number: int) -> str:
    return read() + str(number)


def _read_or_say() -> str:
    try:
        return read()
    except secretkit.SecretError as error:
        return error.kind


def test_a_spawned_process_sees_variables_only(
    secrets: Secrets, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets.create("token", "for the org")
    secrets.create("default/etl:token", "for etl")
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(1) as pool:
        # What `configure` said here is unknown there, and a read makes nothing.
        assert pool.apply(_read_or_say) == "no_store"
    assert read() == "for the org"
    monkeypatch.setenv("SECRETKIT_STORE", places["store"])
    monkeypatch.setenv("SECRETKIT_KEY", places["key"])
    monkeypatch.setenv("SECRETKIT_PROJECT", "etl")
    with spawn.Pool(1) as pool:
        assert pool.apply(_read_or_say) == "for etl"


def test_a_killed_task_leaves_files_to_the_next_one(mounts: Path) -> None:
    code = """if True:
        import os, signal, sys
        import secretkit
        from secretkit import Secret, task
        from secretkit.testing import memory_secrets

        @task(secret_requests=[Secret(key="cert", mount_requirement=Secret.MountType.FILE)])
        def t1():
            if sys.argv[2] == "die":
                os.kill(os.getpid(), signal.SIGKILL)

        with memory_secrets({"cert": "c"}), secretkit.context(mount_base=sys.argv[1]):
            t1()
    """
    assert subprocess.run([sys.executable, "-c", code, str(mounts), "die"]).returncode == -9
    assert len(left_in(mounts)) == 1
    assert subprocess.run([sys.executable, "-c", code, str(mounts), "live"]).returncode == 0
    assert left_in(mounts) == []


@pytest.mark.parametrize("ends_by_exception", [True, False])
def test_a_task_that_is_told_to_end_leaves_no_file_where_that_is_an_exception(
    mounts: Path, ends_by_exception: bool
) -> None:
    guide = (Path(__file__).parents[2] / "docs/python.md").read_text()
    (said,) = (block for block in re.findall(r"```python\n(.*?)```", guide, re.S) if "SIGTERM" in block)
    code = (said if ends_by_exception else "import sys\n") + textwrap.dedent("""
        import os, signal, time
        import secretkit
        from secretkit import Secret, task
        from secretkit.testing import memory_secrets

        @task(secret_requests=[Secret(key="cert", mount_requirement=Secret.MountType.FILE)])
        def t1():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)

        with memory_secrets({"cert": "c"}), secretkit.context(mount_base=sys.argv[1]):
            t1()
    """)
    ended = subprocess.run([sys.executable, "-c", code, str(mounts)], timeout=60)
    assert ended.returncode == (143 if ends_by_exception else -signal.SIGTERM)
    assert len(left_in(mounts)) == (0 if ends_by_exception else 1)


INTERRUPTED = """
import os, signal, threading, time
from secretkit import _environment, _settings

taken = threading.Event()
def hold():
    with _environment.lock:
        taken.set()
        time.sleep(0.3)

thread = threading.Thread(target=hold)
thread.start()
taken.wait()
threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    if os.fork() == 0:
        os._exit(0)
    time.sleep(1)
    print("the interrupt was lost")
except KeyboardInterrupt:
    print("interrupted")
thread.join()

free = []
def check():
    free.extend(lock.acquire(timeout=5) for lock in (_settings.lock, _environment.lock))
other = threading.Thread(target=check)
other.start()
other.join()
print(free)
"""


def test_an_interrupt_while_a_fork_waits_is_raised_afterwards_and_leaves_no_lock_held() -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", INTERRUPTED], capture_output=True, text=True, timeout=60
    )
    assert ended.stdout == "interrupted\n[True, True]\n", ended.stderr


HOOKED = """
import os, sys

def hook():
    print(sys.argv[1], secrets.get("token").text(), flush=True)

# Earlier than the package's own: it runs while the package holds its gate for the fork.
os.register_at_fork(**{sys.argv[1]: hook})
import secretkit

secrets = secretkit.open(sys.argv[2], key=sys.argv[3])
secrets.create("token", "t0k3n")
child = os.fork()
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print(secrets.get("token").text())
"""


@pytest.mark.parametrize("store", ["sqlite", "memory"])
@pytest.mark.parametrize("when", ["before", "after_in_child", "after_in_parent"])
def test_a_hook_of_somebody_else_reads_while_the_process_forks(places: Places, when: str, store: str) -> None:
    url = "memory:" if store == "memory" else places["store"]
    command = [sys.executable, "-W", "ignore", "-c", HOOKED, when, url, places["key"]]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.stdout == f"{when} t0k3n\nt0k3n\n", ended.stderr
