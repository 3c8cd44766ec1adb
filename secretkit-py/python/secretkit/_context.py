"""What a task sees: `current_context()`."""

from __future__ import annotations

from contextvars import ContextVar

from secretkit import _settings
from secretkit._secretkit import TaskSecrets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextvars import Token


class Context:
    """What the running task may use."""

    __slots__ = ("_settings", "secrets")

    secrets: TaskSecrets
    """The secrets that the task requested."""

    def __init__(self, secrets: TaskSecrets, settings: _settings.Settings | None) -> None:
        self.secrets = secrets
        self._settings = settings


# Outside of any task the process reads what it is configured to read.
_current: ContextVar[Context] = ContextVar(
    "secretkit.context", default=Context(TaskSecrets._of_session(_settings.secrets), None)
)


def current_context() -> Context:
    """The context of the running task.

    Outside of any task it reads whatever the process is configured to read, see `configure`.
    """
    return _current.get()


class Held:
    """Makes a context the current one for a block of code, with the settings that it was made under."""

    __slots__ = ("_context", "_tokens")

    _tokens: tuple[Token[Context], Token[_settings.Settings | None]]

    def __init__(self, context: Context) -> None:
        self._context = context

    def __enter__(self) -> None:
        self._tokens = (_current.set(self._context), _settings.overlay.set(self._context._settings))

    def __exit__(self, *raised: object) -> None:
        context, overlay = self._tokens
        _settings.overlay.reset(overlay)
        _current.reset(context)
