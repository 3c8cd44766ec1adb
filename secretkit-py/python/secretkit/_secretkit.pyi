"""The compiled half of secretkit; import `secretkit` instead."""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from datetime import datetime
from os import PathLike
from threading import RLock
from typing import Any, ClassVar, Literal, NoReturn, final, overload

__all__ = [
    "main",
    "CalledTask",
    "error_kinds",
    "close_gate",
    "open_gate_in_child",
    "open_gate_in_parent",
    "SecretValue",
    "Exposed",
    "SecretInfo",
    "Request",
    "Secrets",
    "open_configured",
    "create_root_key",
    "Variable",
    "TaskSecrets",
    "Group",
]

_Value = str | bytes | bytearray | memoryview | SecretValue

@final
class SecretValue:
    """The bytes of a secret, in memory that is wiped when the object goes away.

    It prints as `SecretValue('***')`, cannot be pickled or hashed, and is compared in constant time and only with its
    like. What `text` and `bytes` return are copies in Python's memory, which nobody can wipe; `expose` avoids them.
    """

    __hash__: ClassVar[None]  # type: ignore[assignment]
    def __new__(cls, value: _Value) -> SecretValue: ...
    def text(self) -> str:
        """The value as text. Raises `InvalidEncoding` if it is not UTF-8, without a byte of it."""

    def bytes(self) -> bytes:
        """The value as bytes."""

    def expose(self) -> Exposed:
        """The value for as long as a block runs: `with value.expose() as view`. `view` is wiped at its end."""

    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __format__(self, spec: str, /) -> str: ...
    def __copy__(self) -> SecretValue: ...
    def __deepcopy__(self, memo: object, /) -> SecretValue: ...
    def __reduce__(self) -> NoReturn: ...

@final
class Exposed:
    """What `SecretValue.expose` returns."""

    def __enter__(self) -> memoryview: ...
    def __exit__(self, *raised: object) -> None: ...

@final
class SecretInfo:
    """Everything about a secret but its value: what a listing shows. It was checked against tampering."""

    @property
    def id(self) -> str:
        """What stays the same while the secret lives."""

    @property
    def address(self) -> str:
        """`scope:name`, as in `acme/etl:db/password`."""

    @property
    def scope(self) -> str:
        """`org`, `org/project`, `org/*/domain` or `org/project/domain`."""

    @property
    def name(self) -> str:
        """`key` or `group/key`."""

    @property
    def org(self) -> str: ...
    @property
    def project(self) -> str | None: ...
    @property
    def domain(self) -> str | None: ...
    @property
    def group(self) -> str | None: ...
    @property
    def key(self) -> str: ...
    @property
    def revision(self) -> int:
        """Counts the secret's values: 1, 2, 3, …"""

    @property
    def generation(self) -> int:
        """Counts every change of the secret; `update(..., generation=...)` takes it."""

    @property
    def digest(self) -> str:
        """A keyed fingerprint of the value. Equal values at two addresses have different ones."""

    @property
    def active(self) -> bool: ...
    @property
    def expires_at(self) -> datetime | None: ...
    @property
    def description(self) -> str | None: ...
    @property
    def tags(self) -> tuple[str, ...]: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def created_by(self) -> str: ...
    @property
    def updated_at(self) -> datetime: ...
    @property
    def updated_by(self) -> str: ...
    @property
    def value_at(self) -> datetime:
        """When the value was last set."""

    @property
    def value_by(self) -> str: ...

@final
class Secrets:
    """A store with its root key, seen from a scope. `secretkit.open` makes one.

    A name is `key` or `group/key` at exactly this scope, or a full address such as `acme/etl:db/password`. It is safe
    to use from many threads.
    """

    @staticmethod
    def in_memory(
        secrets: Mapping[str, _Value] | None = None,
        /,
        *,
        org: str | None = None,
        project: str | None = None,
        domain: str | None = None,
    ) -> Secrets:
        """A store in this process's memory, with a key of its own and these secrets in it, for tests.

        Names without a scope belong to the org, where tasks at every scope of it see them.
        """

    @property
    def scope(self) -> str:
        """The scope that names without one are at."""

    def create(self, name: str, value: _Value) -> SecretInfo:
        """Keeps a new secret. Raises `AlreadyExists` if there is one of that name."""

    def put(self, name: str, value: _Value) -> SecretInfo:
        """Keeps a secret, whether there is one of that name or not. An existing one keeps its id and history."""

    def update(self, name: str, value: _Value, *, generation: int | None = None) -> SecretInfo:
        """Gives an existing secret a new value. Raises `NotFound` if there is none.

        With `generation`, only if nobody has changed it since it was at that generation; else raises `Conflict`.
        """

    def get(self, name: str) -> SecretValue:
        """The value. Raises `NotFound`, `Inactive` or `Expired`, or `Corrupt` if it was tampered with.

        Do not return secret values from tasks, as this will expose secrets to whatever runs them.
        """

    def info(self, name: str) -> SecretInfo:
        """Everything but the value, also of an inactive or expired secret."""

    def list(self, scope: str | None = None) -> list[SecretInfo]:
        """The secrets of the whole org or, if given, at exactly one scope; ordered by name, then scope."""

    def delete(self, name: str) -> SecretInfo:
        """Removes a secret with its history, and returns what it was."""

    def verify_value(self, name: str, value: _Value) -> bool:
        """Whether this is the current value. Tells nothing else."""

    def _at(
        self,
        org: str | None = None,
        project: str | None = None,
        domain: str | None = None,
        env_prefix: str | None = None,
        mount_base: str | PathLike[str] | None = None,
    ) -> Secrets: ...

@final
class TaskSecrets:
    """`current_context().secrets`: what the running task requested.

    Of `group` and `key`, one alone is the key. `group_version` is the number of a revision; a secret that was
    requested with one is read with it. `secrets.GROUP.KEY` is short for `secrets.get("GROUP", "KEY")`.

    Outside of any task, `get` reads whatever the process is configured to read, each time anew.
    """

    @overload
    def get(
        self,
        group: str | None = None,
        key: str | None = None,
        group_version: str | int | None = None,
        encode_mode: Literal["r"] = "r",
    ) -> str:
        """The value of a secret: `str`, or `bytes` with `encode_mode="rb"`.

        Nothing is stripped from it. Raises `NotRequested` if the task did not request the secret, `NotFound` if there
        is none, `Expired` if it has expired since the task started, and `InvalidEncoding` if text was asked for and it
        is none.

        Do not return secret values from tasks, as this will expose secrets to whatever runs them: its logs, its
        database, its control plane.
        """

    @overload
    def get(
        self,
        group: str | None = None,
        key: str | None = None,
        group_version: str | int | None = None,
        *,
        encode_mode: Literal["rb"],
    ) -> bytes: ...
    @overload
    def get(
        self, group: str | None, key: str | None, group_version: str | int | None, encode_mode: Literal["rb"]
    ) -> bytes: ...
    def get_secrets_env_var(
        self, group: str | None = None, key: str | None = None, group_version: str | int | None = None
    ) -> str:
        """The name of the environment variable that the task requested the secret in."""

    def get_secrets_file(
        self, group: str | None = None, key: str | None = None, group_version: str | int | None = None
    ) -> str:
        """The path of the file that the task requested the secret as. It is gone when the task ends."""

    def __getattr__(self, name: str, /) -> Any:
        """The group of this name, as in `secrets.GROUP.KEY`."""

    @staticmethod
    def _of_task(secrets: Secrets, requests: list[Request]) -> TaskSecrets: ...
    @staticmethod
    def _of_nothing() -> TaskSecrets: ...
    @staticmethod
    def _of_session(session: Callable[[], Secrets]) -> TaskSecrets: ...
    def _variables(self) -> list[Variable]: ...
    def _end(self) -> None: ...

@final
class Group:
    def __getattr__(self, name: str, /) -> str: ...

@final
class Request:
    def __new__(
        cls,
        group: str | None,
        key: str | None,
        group_version: str | int | None,
        mount: int,
        env_var: str | None,
    ) -> Request: ...
    @property
    def beside(self) -> bool: ...

@final
class Variable:
    @property
    def name(self) -> str: ...
    @property
    def source(self) -> str: ...
    def same_as(self, other: Variable) -> bool: ...
    def is_other_file_of(self, other: Variable) -> bool: ...
    def set_in(self, environ: MutableMapping[bytes, bytes]) -> None: ...
    def restore_in(self, environ: MutableMapping[bytes, bytes]) -> None: ...

@final
class CalledTask:
    """What `secretkit run --task FILE:FUNCTION` asks for."""

    @property
    def file(self) -> str: ...
    @property
    def function(self) -> str: ...
    @property
    def arguments(self) -> list[str]: ...
    def secrets(self) -> Secrets: ...
    def fail(self, kind: str, message: str, hint: str) -> int: ...

def open_configured(
    store: str | None,
    key: str | None,
    key_file: str | PathLike[str] | None,
    actor: str | None,
    /,
) -> Secrets: ...
def create_root_key(path: str | PathLike[str], /) -> None:
    """Makes a root key file that only its owner can read. It never writes over one that is there.

    Keep a copy in a safe place and apart from the store: without it no value of the store opens again.
    """

def error_kinds() -> list[str]: ...
def close_gate(locks: Sequence[RLock]) -> None: ...
def open_gate_in_child() -> None: ...
def open_gate_in_parent() -> None: ...
def main(argv: list[str], /) -> int | CalledTask: ...
