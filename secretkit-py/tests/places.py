"""Where a test's own secrets lie."""

from typing import TypedDict


class Places(TypedDict):
    """A store and a root key, as `secretkit.open`, `secretkit.configure` and the command take them."""

    store: str
    key: str
