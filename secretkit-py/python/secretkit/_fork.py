"""Keeps `os.fork` from copying a lock whose holder the child does not have."""

import os
from _thread import interrupt_main

from secretkit import _environment, _settings
from secretkit._secretkit import close_gate, open_gate


def _before() -> None:
    # In one call, so that Ctrl-C cannot come between two of its steps.
    close_gate([_settings.lock, _environment.lock])


def _in_parent() -> None:
    if open_gate():
        interrupt_main()


os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=open_gate)
