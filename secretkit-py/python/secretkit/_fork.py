"""Keeps `os.fork` from copying a lock whose holder the child does not have."""

import os

from secretkit import _environment, _settings
from secretkit._secretkit import close_gate, open_gate_in_child, open_gate_in_parent


def _before() -> None:
    # In one call, so that Ctrl-C cannot come between two of its steps.
    close_gate([_settings.lock, _environment.lock])


os.register_at_fork(before=_before, after_in_parent=open_gate_in_parent, after_in_child=open_gate_in_child)
