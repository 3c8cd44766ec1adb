"""The console script: the same command line, and a good citizen of a shell."""

import os
import pty
import select
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest

import secretkit
from places import Places
from secretkit import Secrets

SCRIPT = str(Path(sysconfig.get_path("scripts")) / "secretkit")


@pytest.fixture
def environment(places: Places) -> dict[str, str]:
    return {**os.environ, "SECRETKIT_STORE": places["store"], "SECRETKIT_KEY": places["key"]}


def test_what_it_writes_tasks_read(environment: dict[str, str], secrets: Secrets) -> None:
    done = subprocess.run(
        [SCRIPT, "create", "token", "-f", "-"], input=b"s3cret\xff", env=environment, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert secrets.get("token").bytes() == b"s3cret\xff"
    done = subprocess.run([sys.executable, "-m", "secretkit", "reveal", "token"], env=environment, capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"s3cret\xff")


def test_exit_codes_are_those_of_the_kinds(environment: dict[str, str], secrets: Secrets) -> None:
    secrets.create("token", "t")
    done = subprocess.run([SCRIPT, "reveal", "nowhere"], env=environment, capture_output=True)
    assert done.returncode == 20 and b"not found" in done.stderr and done.stdout == b""
    done = subprocess.run([SCRIPT, "no-such-command"], env=environment, capture_output=True)
    assert done.returncode == 2 and b"secretkit" in done.stderr
    # Arguments that are no text arrive as they are.
    done = subprocess.run([SCRIPT.encode(), b"reveal", b"\xff"], env=environment, capture_output=True)
    assert done.returncode != 0 and b"Traceback" not in done.stderr


def test_a_closed_pipe_is_no_error_to_tell(environment: dict[str, str], secrets: Secrets) -> None:
    secrets.create("token", "t")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([SCRIPT, "list"], stdout=writer, stderr=subprocess.PIPE, env=environment)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


# As the console script does it, and what the kernel says of the process before and afterwards.
DUMPABLE = """
import ctypes, sys
from secretkit._command import main
PR_GET_DUMPABLE = 3
dumpable = lambda: ctypes.CDLL(None).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)
before = dumpable()
sys.argv = ["secretkit", "doctor"]
ended = main()
print(before, dumpable(), ended)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can do this")
def test_its_memory_stays_out_of_dumps(environment: dict[str, str], secrets: Secrets) -> None:
    """That of a program which imports the package is left as it is."""
    done = subprocess.run([sys.executable, "-c", DUMPABLE], env=environment, capture_output=True, text=True, check=True)
    *lines, ending = done.stdout.splitlines()
    assert ending == "1 0 0", done.stdout
    told = next(line for line in lines if "core dumps" in line)
    assert "out of them" in told or "switched off" in told


def in_a_terminal(arguments: list[str], environment: dict[str, str]) -> tuple[int, int]:
    """Starts the script at a terminal of its own."""
    child, terminal = pty.fork()
    if child == 0:
        os.execve(SCRIPT, [SCRIPT, *arguments], environment)
    return child, terminal


def read_until(terminal: int, wanted: bytes) -> bytes:
    shown, deadline = b"", time.monotonic() + 20
    while wanted not in shown:
        ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
        assert ready, f"waited in vain for {wanted!r}; shown was {shown!r}"
        try:
            shown += os.read(terminal, 4096)
        except OSError:
            break
    return shown


# A fork in a process with threads is warned of from Python 3.12 on; this one is followed by exec at once.
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_ctrl_c_at_the_prompt_ends_it(environment: dict[str, str]) -> None:
    child, terminal = in_a_terminal(["create", "token"], environment)
    read_until(terminal, b"Enter secret value: ")
    os.write(terminal, b"half a val\x03")
    rest = read_until(terminal, b"\0never")
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 130
    assert b"Traceback" not in rest and b"half" not in rest
    with pytest.raises(secretkit.SecretError):
        secretkit.open(environment["SECRETKIT_STORE"], environment["SECRETKIT_KEY"]).get("token")


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_the_prompt_takes_a_value(environment: dict[str, str], secrets: Secrets) -> None:
    child, terminal = in_a_terminal(["create", "token"], environment)
    read_until(terminal, b"Enter secret value: ")
    os.write(terminal, b"typed in\r")
    shown = read_until(terminal, b"\0never")
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0
    assert b"typed in" not in shown
    assert secrets.get("token").text() == "typed in"


def test_ctrl_c_while_it_waits_ends_it(environment: dict[str, str]) -> None:
    waiting = subprocess.Popen(
        [SCRIPT, "create", "token", "-f", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    wait_until_reading(waiting.pid)
    waiting.send_signal(signal.SIGINT)
    _, told = waiting.communicate(timeout=20)
    # Ended by the signal, which a shell shows as 130.
    assert waiting.returncode == -signal.SIGINT and told == b""


def wait_until_reading(pid: int) -> None:
    """Until the command waits: the extension is loaded, and interrupts are no longer caught, as Python catches them."""
    process = Path(f"/proc/{pid}")
    if not process.exists():
        # No such window into processes on macOS.
        time.sleep(2)
        return
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        fields = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines() if ":" in line)
        catches = int(fields["SigCgt"], 16) & 1 << (signal.SIGINT - 1)
        if fields["State"].split()[0] == "S" and not catches and "_secretkit" in (process / "maps").read_text():
            return
        time.sleep(0.01)
    pytest.fail("it does not begin to wait")


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_an_ignored_interrupt_stays_ignored(environment: dict[str, str], secrets: Secrets) -> None:
    waiting = subprocess.Popen(
        [SCRIPT, "create", "token", "-f", "-"],
        stdin=subprocess.PIPE,
        env=environment,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    wait_until_reading(waiting.pid)
    waiting.send_signal(signal.SIGINT)
    waiting.communicate(b"value", timeout=20)
    assert waiting.returncode == 0
    assert secrets.get("token").text() == "value"
