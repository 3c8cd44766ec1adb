"""`os.environ`, which all tasks of a process share.

A variable belongs to one value at a time. Tasks that want the same value share it, and the last one out puts back
what was there; a task that wants another value does not start.
"""

from __future__ import annotations

import os
from threading import RLock

from secretkit.exceptions import InvalidVariable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from secretkit._secretkit import Variable

lock = RLock()
_claims: dict[str, tuple[Variable, int]] = {}


def claim(variables: list[Variable]) -> None:
    """Sets all of them or, where one belongs to another value, none."""
    with lock:
        for variable in variables:
            holder, _ = _claims.get(variable.name, (variable, 0))
            if variable.same_as(holder):
                continue
            if variable.is_other_file_of(holder):
                raise InvalidVariable(
                    f"environment variable {variable.name} is held for a file of {holder.source} by a running task, and "
                    f"each run of a task has a file of its own, which one variable cannot all name; run them one after "
                    f"the other, or in processes of their own"
                )
            raise InvalidVariable(
                f"environment variable {variable.name} is held by {holder.source} for a running task, and another "
                f"task claims it for {variable.source}; give one of them another name with env_var"
            )
        claimed: list[Variable] = []
        try:
            for variable in variables:
                holder, count = _claims.get(variable.name, (variable, 0))
                _claims[variable.name] = (holder, count + 1)
                claimed.append(variable)
                if count == 0:
                    variable.set_in(os.environb)
        except BaseException:
            release(claimed)
            raise


def release(variables: list[Variable]) -> None:
    """Gives them back."""
    with lock:
        for variable in variables:
            holder, count = _claims[variable.name]
            if count > 1:
                _claims[variable.name] = (holder, count - 1)
            else:
                del _claims[variable.name]
                holder.restore_in(os.environb)
