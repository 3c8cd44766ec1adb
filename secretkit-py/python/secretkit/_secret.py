"""What a task asks for. It holds names and never a value."""

from __future__ import annotations

from enum import Enum

from secretkit._secretkit import Request
from secretkit.exceptions import InvalidRequest

# `typing` is a slow import, and only type checkers need it. They know this name.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn


class Secret:
    """What a task asks for, written in `@task(secret_requests=[Secret(key="my_secret")])`.

    Of `group` and `key`, one alone is the key; both together name the secret `group/key`. `group_version` is the
    number of a revision; without it the task gets the current one. `env_var` names a variable that is set to the
    value, or to the path if the secret is mounted as a file.

    A `Secret` is checked when it is made, cannot be changed, and can be compared and hashed.
    """

    # What a frozen dataclass would be, without importing dataclasses and, with it, inspect: that import costs more
    # than all of secretkit.
    __slots__ = ("env_var", "group", "group_version", "key", "mount_requirement")
    __match_args__ = ("group", "key", "group_version", "mount_requirement", "env_var")

    class MountType(Enum):
        """How a secret reaches the task."""

        ANY = 0
        """By `current_context().secrets.get`, and in the variable if `env_var` names one."""

        ENV_VAR = 1
        """In an environment variable; one is made from the name if `env_var` names none."""

        FILE = 2
        """As a file, whose path `current_context().secrets.get_secrets_file` returns."""

    group: str | None
    key: str | None
    group_version: str | int | None
    mount_requirement: MountType
    env_var: str | None

    def __init__(
        self,
        group: str | None = None,
        key: str | None = None,
        group_version: str | int | None = None,
        mount_requirement: MountType = MountType.ANY,
        env_var: str | None = None,
    ) -> None:
        if not isinstance(mount_requirement, Secret.MountType):
            raise InvalidRequest("invalid secret request: mount_requirement is a Secret.MountType")
        values = (group, key, group_version, mount_requirement, env_var)
        for name, value in zip(self.__match_args__, values, strict=True):
            object.__setattr__(self, name, value)
        self._request()

    def _request(self) -> Request:
        """The request as the extension takes it; making it checks it."""
        return Request(self.group, self.key, self.group_version, self.mount_requirement.value, self.env_var)

    def _values(self) -> tuple[object, ...]:
        return (self.group, self.key, self.group_version, self.mount_requirement, self.env_var)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Secret cannot be changed: {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a Secret cannot be changed: {name}")

    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        # One that was refused in the middle is printed by whoever prints the local variables of its frames.
        given = (f"{name}={getattr(self, name)!r}" for name in self.__match_args__ if hasattr(self, name))
        return f"Secret({', '.join(given)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), self._values())
