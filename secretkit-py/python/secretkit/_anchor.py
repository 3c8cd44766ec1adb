"""What is told of an anchor that could not be written. The extension calls it, after the write that it is about."""

from __future__ import annotations

import warnings

from secretkit.exceptions import AnchorWarning


def warn(why: str) -> None:
    """Says that the anchor is behind the store. The write is done, so it raises nothing."""
    message = f"the write took effect, but the anchor does not know of it: {why}"
    try:
        # The extension has no frame of its own: past this function it is the line that wrote.
        warnings.warn(message, AnchorWarning, stacklevel=2)
    except AnchorWarning:
        # Somebody made errors of warnings.
        warnings.showwarning(message, AnchorWarning, __file__, 0)
