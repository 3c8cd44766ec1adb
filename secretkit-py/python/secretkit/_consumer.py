"""What a task is called as a consumer of secrets, and what is said where it cannot be registered."""

from __future__ import annotations

import os
import sys

from secretkit.exceptions import RegistrationWarning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from secretkit._secretkit import TaskSecrets


def name_of(function: Callable[..., Any]) -> str:
    """`module:function`. A file that is run is called as if it were imported."""
    module = getattr(function, "__module__", None) or "unknown"
    if module in _RUN:
        run = sys.modules.get(module)
        spec, file = getattr(run, "__spec__", None), getattr(run, "__file__", None)
        if spec is not None and spec.name not in _RUN:
            module = spec.name
        elif file is not None:
            module = os.path.splitext(os.path.basename(file))[0]
    return f"{module}:{getattr(function, '__qualname__', type(function).__qualname__)}"


# A script or `python -m`, the same in a child that is started by `spawn`, and a file of `secretkit run --task`.
_RUN = ("__main__", "__mp_main__", "__secretkit_task__")


_warned: set[str] = set()


def warn(secrets: TaskSecrets, name: str) -> None:
    """Says once for each set of secrets that a task could not be registered."""
    requested = repr(secrets)
    if requested in _warned:
        return
    _warned.add(requested)
    import warnings

    message = f"the task {name} is not registered as a consumer of its secrets: {secrets._unregistered}"
    try:
        # Past this function, the start of the run and the wrapper, it is the line that called the task.
        warnings.warn(message, RegistrationWarning, stacklevel=4)
    except RegistrationWarning:
        # Somebody made errors of warnings. It still ends no task.
        warnings.showwarning(message, RegistrationWarning, __file__, 0)
