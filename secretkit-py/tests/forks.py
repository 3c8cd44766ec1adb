"""Forked children, which must come to a good end."""

import functools
import os
import threading
import traceback
from collections.abc import Callable

from secretkit import Secrets


def in_a_fork(work: Callable[[], None]) -> None:
    """Runs this in a forked child, and fails if it fails or does not come to an end."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    killer = threading.Timer(30, os.kill, (child, 9))
    killer.start()
    try:
        _, status = os.waitpid(child, 0)
    finally:
        killer.cancel()
    assert os.waitstatus_to_exitcode(status) == 0


def fork_while(busy: Callable[[int], None], threads: int, children: int, work: Callable[[int], None]) -> None:
    """Forks children that work, one after another, while threads are busy with something else, over and over.

    Both are given their number. Fails if any of them fails, or if a child does not come to an end.
    """
    stop, failed = threading.Event(), []

    def keep_busy(number: int) -> None:
        try:
            while not stop.is_set():
                busy(number)
        except BaseException as error:
            failed.append(error)

    running = [threading.Thread(target=keep_busy, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    try:
        for number in range(children):
            in_a_fork(functools.partial(work, number))
    finally:
        stop.set()
        for thread in running:
            thread.join()
    assert not failed


def fork_while_it_is_used(secrets: Secrets, threads: int, children: int) -> None:
    """Reads, lists and writes in threads of this process and in forked children."""
    secrets.create("token", "t")

    def busy(number: int) -> None:
        assert secrets.get("token").text() == "t"
        assert secrets.list()
        secrets.put(f"busy{number}", "x")

    def work(number: int) -> None:
        assert secrets.get("token").text() == "t"
        secrets.put(f"child{number}", "x")
        assert secrets.get(f"child{number}").text() == "x"

    fork_while(busy, threads, children, work)
