"""Keeps `os.fork` from copying a lock whose holder the child does not have."""

import os

from secretkit import _environment, _settings
from secretkit._secretkit import close_gate, open_gate


def _before() -> None:
    _settings.lock.acquire()
    _environment.lock.acquire()
    close_gate()


def _after() -> None:
    open_gate()
    _environment.lock.release()
    _settings.lock.release()


os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_after)
