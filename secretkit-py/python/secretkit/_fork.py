"""What happens when the process forks or exits.

A fork must not copy a lock whose holder the child does not have. At exit what was read outside of tasks is recorded; a
child that ends by `os._exit`, as those of `multiprocessing` do, records what its tasks used and loses the rest.
"""

import atexit
import os

from secretkit import _environment, _settings
from secretkit._secretkit import close_gate, open_gate_in_child, open_gate_in_parent, record_uses


def _before() -> None:
    # In one call, so that Ctrl-C cannot come between two of its steps.
    close_gate([_settings.lock, _environment.lock])


os.register_at_fork(before=_before, after_in_parent=open_gate_in_parent, after_in_child=open_gate_in_child)
atexit.register(record_uses)
