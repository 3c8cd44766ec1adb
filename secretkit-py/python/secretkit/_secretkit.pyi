"""The compiled half of secretkit; import `secretkit` instead."""
# A compiled module has one stub, whatever it holds; its sources are secretkit-py/src.

import builtins
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from datetime import date, datetime, timedelta
from os import PathLike
from threading import RLock
from typing import Any, ClassVar, Literal, NoReturn, final, overload

__all__ = [
    "__version__",
    "main",
    "CalledTask",
    "error_kinds",
    "close_gate",
    "open_gate_in_child",
    "open_gate_in_parent",
    "SecretValue",
    "Exposed",
    "SecretInfo",
    "RevisionInfo",
    "ConsumerInfo",
    "Effective",
    "SecretInfos",
    "Effectives",
    "Imported",
    "Request",
    "Secrets",
    "StoreCheck",
    "record_uses",
    "Configured",
    "judge_place",
    "create_root_key",
    "harden_process",
    "keep_out_of_dumps",
    "Variable",
    "TaskSecrets",
    "Group",
]

_Value = str | bytes | bytearray | memoryview | SecretValue
# A datetime, which is a date too, has to say in which time zone it is.
_Moment = date | timedelta | str

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
    """Everything about a secret but its value: what a listing shows. It was checked against tampering.

    Two are equal where all of it is the same but for the last use, which a write does not tell.
    """

    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
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
    def first_revision(self) -> int:
        """The oldest revision that is kept."""

    @property
    def keep(self) -> int | None:
        """How many superseded values it keeps; `None` is the standard of the store."""

    @property
    def generation(self) -> int:
        """Counts every change of the secret; `update(..., generation=...)` takes it."""

    @property
    def digest(self) -> str:
        """A keyed fingerprint of the value. Equal values at two addresses have different ones."""

    @property
    def active(self) -> bool: ...
    @property
    def inactive_since(self) -> datetime | None:
        """When it was switched off; `None` while it is active."""

    @property
    def expires_at(self) -> datetime | None:
        """From when on it cannot be read."""

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
    @property
    def last_used_at(self) -> datetime | None:
        """When its value was last delivered or read, to the minute, as far as that was recorded.

        `info`, `list`, `iterate` and `effective` tell it. What a write returns does not: there it is `None`.
        """

    @property
    def last_used_by(self) -> str | None:
        """Who did that: the actor."""

    def __copy__(self) -> SecretInfo: ...
    def __deepcopy__(self, memo: object, /) -> SecretInfo: ...

@final
class StoreCheck:
    """One thing that was looked at in a store from outside, in plain words. No value and no password is in it."""

    @property
    def check(self) -> str:
        """What was looked at, in a word or two that stay the same."""

    @property
    def rating(self) -> str:
        """`secure`, `weak` or `insecure`."""

    @property
    def finding(self) -> str: ...
    @property
    def advice(self) -> str | None:
        """What to do, where something is to be done."""

    def __copy__(self) -> StoreCheck: ...
    def __deepcopy__(self, memo: object, /) -> StoreCheck: ...

@final
class RevisionInfo:
    """One value of a secret, as a history shows it. It was checked against tampering."""

    @property
    def revision(self) -> int: ...
    @property
    def digest(self) -> str:
        """The keyed fingerprint of the value. Equal digests of one secret are equal values."""

    @property
    def value_at(self) -> datetime:
        """When it was set."""

    @property
    def value_by(self) -> str: ...

    def __copy__(self) -> RevisionInfo: ...
    def __deepcopy__(self, memo: object, /) -> RevisionInfo: ...

@final
class ConsumerInfo:
    """A named thing that uses a secret and so blocks its deletion. It was checked against tampering."""

    @property
    def name(self) -> str: ...
    @property
    def seen_at(self) -> datetime:
        """When it was last seen."""

    @property
    def seen_by(self) -> str:
        """Who said so: the actor."""

    def __copy__(self) -> ConsumerInfo: ...
    def __deepcopy__(self, memo: object, /) -> ConsumerInfo: ...

@final
class Effective:
    """What a task gets for one name, and what that hides."""

    @property
    def info(self) -> SecretInfo:
        """The secret that answers, also where it is inactive or expired: then the task gets an error."""

    @property
    def hides(self) -> tuple[SecretInfo, ...]:
        """The secrets of the same name that it hides, nearest first."""

    def __copy__(self) -> Effective: ...
    def __deepcopy__(self, memo: object, /) -> Effective: ...

@final
class SecretInfos:
    """What `Secrets.iterate` returns: one `SecretInfo` after the other, read a page at a time."""

    def __iter__(self) -> SecretInfos: ...
    def __next__(self) -> SecretInfo: ...

@final
class Effectives:
    """What `Secrets.effective` returns: one `Effective` after the other, read a page at a time."""

    def __iter__(self) -> Effectives: ...
    def __next__(self) -> Effective: ...

@final
class Imported:
    """What `Secrets.import_file` did, or with `dry_run` would do."""

    @property
    def created(self) -> list[str]:
        """The addresses of the secrets that are new."""

    @property
    def updated(self) -> list[str]:
        """The addresses of the secrets that were there, and have a new value."""

    def __copy__(self) -> Imported: ...
    def __deepcopy__(self, memo: object, /) -> Imported: ...

@final
class Secrets:
    """A store with its root key, seen from a scope. `secretkit.open` makes one.

    A name is `key` or `group/key` at exactly this scope, or a full address such as `acme/etl:db/password`. In place of
    the name every call but `create` and `put` takes `id=`, the id of a secret of this org, which stays the same while
    the secret lives. It is safe to use from many threads.

    `create`, `put`, `update` and `edit` take what people keep about a secret. What is not given stays as it is, and
    `None` takes it away:

    - `description`: free text of up to 1 KiB. It is not encrypted; whoever can read the store can read it.
    - `tags`: all labels at once, up to 32; `add_tags` and `remove_tags` change some. They are not encrypted either.
    - `expires`: from when on it cannot be read: a `datetime` with a time zone, a `date` (to its end, UTC), a
      `timedelta` from now, or the text that the command takes, such as `"90d"`.
    - `active`: `False` switches it off at once, `True` on again.
    - `keep`: how many superseded values to keep; `None` is the standard of the store, 10 unless
      `open(keep=…)` or `SECRETKIT_KEEP` says otherwise.

    A value has up to 64 KiB unless `open(value_limit=…)` or `SECRETKIT_VALUE_LIMIT` says otherwise.

    What breaks their rules raises `InvalidMetadata`, as does an expiry that has passed.
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

    @property
    def cache_told(self) -> bool | None:
        """Whether what others commit is heard of, so that the cache drops it within a second; `None` without a cache."""

    @property
    def cache_stale_since(self) -> datetime | None:
        """Since when the store cannot be reached and what was true before is given; `None` where it is not."""

    def create(
        self,
        name: str,
        value: _Value,
        *,
        description: str | None = ...,
        tags: Iterable[str] | None = ...,
        expires: _Moment | None = ...,
        active: bool = ...,
        keep: int | None = ...,
    ) -> SecretInfo:
        """Keeps a new secret. Raises `AlreadyExists` if there is one of that name."""

    def put(
        self,
        name: str,
        value: _Value,
        *,
        description: str | None = ...,
        tags: Iterable[str] | None = ...,
        add_tags: Iterable[str] = ...,
        remove_tags: Iterable[str] = ...,
        expires: _Moment | None = ...,
        active: bool = ...,
        keep: int | None = ...,
    ) -> SecretInfo:
        """Keeps a secret, whether there is one of that name or not. An existing one keeps its id, its history, and the
        metadata that is not given.
        """

    @overload
    def update(
        self,
        name: str,
        value: _Value,
        *,
        id: None = None,
        generation: int | None = None,
        description: str | None = ...,
        tags: Iterable[str] | None = ...,
        add_tags: Iterable[str] = ...,
        remove_tags: Iterable[str] = ...,
        expires: _Moment | None = ...,
        active: bool = ...,
        keep: int | None = ...,
    ) -> SecretInfo:
        """Gives an existing secret a new value, and with it new metadata. Raises `NotFound` if there is none.

        With `generation`, only if nobody has changed it since it was at that generation; else raises `Conflict`.
        """

    @overload
    def update(
        self,
        name: None = None,
        *,
        value: _Value,
        id: str,
        generation: int | None = None,
        description: str | None = ...,
        tags: Iterable[str] | None = ...,
        add_tags: Iterable[str] = ...,
        remove_tags: Iterable[str] = ...,
        expires: _Moment | None = ...,
        active: bool = ...,
        keep: int | None = ...,
    ) -> SecretInfo: ...
    @overload
    def edit(
        self,
        name: str,
        *,
        id: None = None,
        generation: int | None = None,
        description: str | None = ...,
        tags: Iterable[str] | None = ...,
        add_tags: Iterable[str] = ...,
        remove_tags: Iterable[str] = ...,
        expires: _Moment | None = ...,
        active: bool = ...,
        keep: int | None = ...,
    ) -> SecretInfo:
        """Changes what is kept about a secret beside its value. Value, digest, id and history stay.

        It makes a new generation and no new revision; where nothing would change, it writes nothing. `generation` is
        that of `update`.
        """

    @overload
    def edit(
        self,
        name: None = None,
        *,
        id: str,
        generation: int | None = None,
        description: str | None = ...,
        tags: Iterable[str] | None = ...,
        add_tags: Iterable[str] = ...,
        remove_tags: Iterable[str] = ...,
        expires: _Moment | None = ...,
        active: bool = ...,
        keep: int | None = ...,
    ) -> SecretInfo: ...
    @overload
    def get(self, name: str, *, id: None = None, revision: int | None = None) -> SecretValue:
        """The value, or with `revision` the one that it had then. Using it is recorded, see `SecretInfo.last_used_at`.

        Raises `NotFound`, `Inactive` or `Expired`, or `Corrupt` if it was tampered with.

        Do not return secret values from tasks, as this will expose secrets to whatever runs them.
        """

    @overload
    def get(self, name: None = None, *, id: str, revision: int | None = None) -> SecretValue: ...
    @overload
    def info(self, name: str, *, id: None = None) -> SecretInfo:
        """Everything but the value, also of an inactive or expired secret."""

    @overload
    def info(self, name: None = None, *, id: str) -> SecretInfo: ...
    def list(
        self,
        scope: str | None = None,
        *,
        within: str | None = None,
        search: str | None = None,
        tags: Iterable[str] | None = None,
        expiring: _Moment | None = None,
        expired: bool = False,
        active: bool | None = None,
        unused_since: _Moment | None = None,
    ) -> list[SecretInfo]:
        """The secrets of the whole org or, if given, at exactly one scope; ordered by name, then scope.

        Args:
            scope: Exactly there, `acme/etl/production`.
            within: In a project with all its domains, `acme/etl`; or in an org.
            search: Those with this text in the name, the description or a tag. ASCII letters match in either case.
            tags: Those that have each of these tags.
            expiring: Those that expire from now until then: a `date`, a `datetime`, a `timedelta` from now, or `"30d"`.
            expired: Those whose expiry has passed; with `expiring`, both.
            active: Those that are active, or with `False` those that are switched off.
            unused_since: Those of which no use since then is recorded, and that are themselves older: a `datetime`, a
                `date` (from its beginning, UTC), or a `timedelta` before now, also written as `"90d"`.
        """

    def iterate(
        self,
        scope: str | None = None,
        *,
        within: str | None = None,
        search: str | None = None,
        tags: Iterable[str] | None = None,
        expiring: _Moment | None = None,
        expired: bool = False,
        active: bool | None = None,
        unused_since: _Moment | None = None,
    ) -> SecretInfos:
        """The same one by one: it reads a page at a time, and keeps no more than that, however many there are.

        A secret that is there all the time appears exactly once.
        """

    def effective(
        self,
        scope: str | None = None,
        *,
        search: str | None = None,
        tags: Iterable[str] | None = None,
        expiring: _Moment | None = None,
        expired: bool = False,
        active: bool | None = None,
        unused_since: _Moment | None = None,
    ) -> Effectives:
        """What a task gets at this scope or the one given: for each name the nearest secret, and what it hides.

        The conditions are those of `list` and hold for the secret that answers. It reads a page at a time as `iterate`
        does.
        """

    @overload
    def delete(self, name: str, *, id: None = None) -> SecretInfo:
        """Removes a secret with its history, and returns what it was.

        Raises `InUse` while it has consumers, whose names are its `consumers`. There is no override: remove them first,
        or switch the secret off.
        """

    @overload
    def delete(self, name: None = None, *, id: str) -> SecretInfo: ...
    def render(self, template: str, *, dry_run: bool = False) -> str:
        """A template filled with what a task at this scope would get.

        `{{ secret.NAME }}` prints a secret, `{{ secret.GROUP.NAME }}` one of a group. With `dry_run` no value is
        opened, and `<SECRET:NAME>` stands in its place. Raises `InvalidTemplate`, `NotFound`, `Inactive` or `Expired`.
        """

    def examine(self) -> builtins.list[StoreCheck]:
        """Looks at the store from outside and says in plain words what was found and what to do, as `secretkit doctor`
        does. It changes nothing and opens nothing that is sealed.

        Of an SQLite file it is what SQLite finds to be wrong with it; of a PostgreSQL store how its server is reached,
        who logs in, and what the server does with what it gets. Raises `NoStore` where there is no file, and
        `Unavailable` where there is no server.
        """

    @overload
    def verify_value(self, name: str, value: _Value, *, id: None = None) -> bool:
        """Whether this is the current value. Tells nothing else."""

    @overload
    def verify_value(self, name: None = None, *, value: _Value, id: str) -> bool: ...
    @overload
    def history(self, name: str, *, id: None = None) -> builtins.list[RevisionInfo]:
        """Every value of the secret that is kept, the current one first: when it was set, by whom, and its digest."""

    @overload
    def history(self, name: None = None, *, id: str) -> builtins.list[RevisionInfo]: ...
    @overload
    def rollback(self, name: str, *, id: None = None, to: int, generation: int | None = None) -> SecretInfo:
        """Sets the value of an earlier revision again, as a new revision. `generation` is that of `update`."""

    @overload
    def rollback(self, name: None = None, *, id: str, to: int, generation: int | None = None) -> SecretInfo: ...
    @overload
    def prune(self, name: str, *, id: None = None, keep: int) -> SecretInfo:
        """Removes superseded values now, all but the last `keep` of them."""

    @overload
    def prune(self, name: None = None, *, id: str, keep: int) -> SecretInfo: ...
    @overload
    def add_consumer(self, name: str, consumer: str, *, id: None = None) -> SecretInfo:
        """Registers a consumer of a secret, or notes that it was seen again. From now on the secret cannot be deleted.

        A task does that by itself where `configure(register_consumers=True)` says so.
        """

    @overload
    def add_consumer(self, name: None = None, *, consumer: str, id: str) -> SecretInfo: ...
    @overload
    def remove_consumer(self, name: str, consumer: str, *, id: None = None) -> SecretInfo:
        """Removes a consumer of a secret. Raises `NotFound` if it is none."""

    @overload
    def remove_consumer(self, name: None = None, *, consumer: str, id: str) -> SecretInfo: ...
    @overload
    def consumers(self, name: str, *, id: None = None) -> builtins.list[ConsumerInfo]:
        """The consumers of a secret by name, with when each was last seen."""

    @overload
    def consumers(self, name: None = None, *, id: str) -> builtins.list[ConsumerInfo]: ...
    @overload
    def prune_consumers(self, name: str, *, id: None = None, unseen_since: _Moment) -> builtins.list[ConsumerInfo]:
        """Removes the consumers of a secret that were not seen since then, and returns them.

        `unseen_since` is what `unused_since` is to `list`.
        """

    @overload
    def prune_consumers(self, name: None = None, *, id: str, unseen_since: _Moment) -> builtins.list[ConsumerInfo]: ...
    def import_file(
        self,
        path: str | PathLike[str],
        format: str | None = None,
        *,
        overwrite: bool = False,
        dry_run: bool = False,
    ) -> Imported:
        """Puts the secrets of a file into exactly this scope, in one commit: all of them or none.

        `format` is `"dotenv"`, `"json"`, `"nextflow"` or `"directory"`; without it the path tells. Raises
        `AlreadyExists` with all that are there, unless `overwrite` is true: then they get new values and keep whatever
        else is kept about them. With `dry_run` nothing is written or made.

        Raises `InvalidInput` with the place where the file is not what its format says, never with its content, and
        `TooLarge`.
        """

    def export_file(
        self,
        path: str | PathLike[str],
        format: str | None = None,
        *,
        names: Iterable[str] | None = None,
        overwrite: bool = False,
        effective: bool = False,
        skip_unavailable: bool = False,
    ) -> builtins.list[str]:
        """Writes the secrets at exactly this scope into a file of mode 0600, and returns their addresses.

        The file is not encrypted. `names` are the only ones; with `effective` it is what a task at this scope would get.
        An inactive or expired secret raises `Inactive` or `Expired`, unless `skip_unavailable` is true. Raises
        `Undeliverable` where the format cannot hold a secret, and where something stands at `path` and `overwrite` is
        false. Each secret counts as used.
        """

    def record_uses(self) -> None:
        """Records now which secrets were read since the last time, as far as that is possible at once.

        It happens by itself when a task ends, when the process exits, and about once a minute while reads go on.
        """

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
    def _of_task(secrets: Secrets, requests: list[Request], consumer: str | None = None) -> TaskSecrets: ...
    @staticmethod
    def _of_nothing() -> TaskSecrets: ...
    @staticmethod
    def _of_session(session: Callable[[], Secrets]) -> TaskSecrets: ...
    @property
    def _unregistered(self) -> str | None: ...
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

@final
class Configured:
    """What a host configured: understood, and not looked for yet."""

    def __new__(
        cls,
        store: str | None,
        key: str | None,
        key_file: str | PathLike[str] | None,
        actor: str | None,
        previous_keys: Sequence[str],
        org_keys: Sequence[tuple[str, str]],
        anchor: str | PathLike[str] | None,
        keep: int | None,
        value_limit: int | None,
        cache: str | None,
        cache_stale: str | None,
        /,
    ) -> Configured: ...
    def open(self) -> Secrets:
        """Opens it, with what the `SECRETKIT_*` variables say now for the rest."""

def judge_place(org: str | None, project: str | None, domain: str | None, env_prefix: str | None, /) -> None: ...
def create_root_key(path: str | PathLike[str], /) -> None:
    """Makes a root key file that only its owner can read, and its directory. It never writes over one that is there: that
    raises `AlreadyExists`.

    Keep a copy in a safe place and apart from the store: without it no value of the store opens again.
    """

def harden_process() -> dict[str, str]:
    """Keeps the memory of this process, with its keys and values, from the disk and from other processes.

    Call it once, early, and only where this process is yours: there are no core dumps and no debugger from then on. It
    never fails. Returns "done" or why not for `no_core_dumps`, `untraceable` and `locked_memory`. Memory is locked only
    where RLIMIT_MEMLOCK sets no limit.
    """

__version__: str

def record_uses() -> None: ...
def error_kinds() -> list[str]: ...
def close_gate(locks: Sequence[RLock]) -> None: ...
def open_gate_in_child() -> None: ...
def open_gate_in_parent() -> None: ...
def keep_out_of_dumps() -> None: ...
def main(argv: list[str], /) -> int | CalledTask: ...
