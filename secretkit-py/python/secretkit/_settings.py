"""Where secrets come from: the store, the root key and the scope, for the process or for a block of code."""

from __future__ import annotations

import os
from contextlib import contextmanager
from contextvars import ContextVar
from threading import RLock

from secretkit._secretkit import Configured, Secrets, judge_place
from secretkit.exceptions import Usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from os import PathLike

    Path = str | PathLike[str]


# Held while a store is opened, whichever it is: a fork waits for it, so that no child inherits it held.
lock = RLock()


class Source:
    """A store and its root key. It is opened when it is first needed, and then stays open."""

    __slots__ = (
        "_actor",
        "_anchor",
        "_cache",
        "_cache_stale",
        "_keep",
        "_key",
        "_key_file",
        "_open",
        "_org_keys",
        "_previous_keys",
        "_secrets",
        "_store",
        "_value_limit",
    )

    def __init__(
        self,
        store: str | None = None,
        key: str | None = None,
        key_file: Path | None = None,
        actor: str | None = None,
        secrets: Secrets | None = None,
        previous_keys: Sequence[str] = (),
        org_keys: Mapping[str, str] | None = None,
        anchor: Path | None = None,
        keep: int | None = None,
        value_limit: int | None = None,
        cache: str | None = None,
        cache_stale: str | None = None,
    ) -> None:
        # Nothing is judged here, so nothing fails: see `judged`.
        self._store = store
        self._key = key
        self._key_file = key_file
        self._actor = actor
        self._secrets = secrets
        self._open = secrets is not None
        self._previous_keys = previous_keys
        self._org_keys = org_keys
        self._anchor = anchor
        self._keep = keep
        self._value_limit = value_limit
        self._cache = cache
        self._cache_stale = cache_stale

    def judged(self) -> Source:
        """The same where it makes sense, and else an error. Reporters show the local variables of each frame that an error
        passes, and a URL may hold a password: whoever calls this has let go of every URL before.
        """
        self._combined()
        if not self._open:
            # Here, where it was said, and not in each task that reads a secret.
            self._configured()
        return self

    def _combined(self) -> None:
        """Judges how what was given goes together; what each of it means may depend on what it is laid over."""
        if self._secrets is not None and not isinstance(self._secrets, Secrets):
            raise TypeError(f"secrets is a secretkit.Secrets, not {type(self._secrets).__name__!r}")
        if isinstance(self._previous_keys, str):
            raise Usage("usage: previous_keys is a list of URLs")
        if self._key is not None and self._key_file is not None:
            raise Usage("usage: give key or key_file, not both")
        # Copies: whoever gave them may change them.
        self._previous_keys = list(self._previous_keys)
        self._org_keys = dict(self._org_keys or {})
        if self._open and (self._says_where() or self._says_how()):
            raise Usage("usage: secrets are open already; give no store, key, actor, anchor, keep, value_limit or cache with them")

    def but(self, changes: Source) -> Source:
        """The same store and root key, opened anew where these changes, which name neither, are any."""
        changes._combined()
        if not changes._says_how():
            return self
        if self._open:
            raise Usage("usage: secrets are open already; give no key, actor, anchor, keep, value_limit or cache beside them")
        return Source(
            self._store,
            self._key,
            self._key_file,
            self._actor if changes._actor is None else changes._actor,
            None,
            changes._previous_keys or self._previous_keys,
            changes._org_keys or self._org_keys,
            self._anchor if changes._anchor is None else changes._anchor,
            self._keep if changes._keep is None else changes._keep,
            self._value_limit if changes._value_limit is None else changes._value_limit,
            self._cache if changes._cache is None else changes._cache,
            self._cache_stale if changes._cache_stale is None else changes._cache_stale,
        ).judged()

    def names_a_store(self) -> bool:
        """Whether it stands for itself, and nothing of another belongs to it."""
        return self._open or self._says_where()

    def _says_where(self) -> bool:
        return any(each is not None for each in (self._store, self._key, self._key_file))

    def _says_how(self) -> bool:
        single = (self._actor, self._anchor, self._keep, self._value_limit, self._cache, self._cache_stale)
        return any(each is not None for each in single) or bool(self._previous_keys or self._org_keys)

    def open(self) -> Secrets:
        """The store; what is not given comes from `SECRETKIT_*`, read at this moment."""
        if self._secrets is None:
            with lock:
                if self._secrets is None:
                    self._secrets = self._configured().open()
        return self._secrets

    def _configured(self) -> Configured:
        return Configured(
            self._store,
            self._key,
            self._key_file,
            self._actor,
            list(self._previous_keys),
            list((self._org_keys or {}).items()),
            self._anchor,
            self._keep,
            self._value_limit,
            self._cache,
            self._cache_stale,
        )


class Settings:
    """A store, and the place from where tasks see it. Parts that are `None` are those of the store as it was opened."""

    __slots__ = ("_secrets", "domain", "env_prefix", "mount_base", "org", "project", "register_consumers", "source")

    def __init__(
        self,
        source: Source,
        org: str | None = None,
        project: str | None = None,
        domain: str | None = None,
        env_prefix: str | None = None,
        mount_base: Path | None = None,
        register_consumers: bool | None = None,
    ) -> None:
        judge_place(org, project, domain, env_prefix)
        self.source = source
        self.org = org
        self.project = project
        self.domain = domain
        self.env_prefix = env_prefix
        # A task may change the working directory, and pass the paths of its files on.
        self.mount_base = None if mount_base is None else os.path.abspath(mount_base)
        self.register_consumers = register_consumers
        self._secrets: Secrets | None = None

    def secrets(self) -> Secrets:
        """The store, seen from there."""
        if self._secrets is None:
            self._secrets = self.source.open()._at(
                self.org, self.project, self.domain, self.env_prefix, self.mount_base
            )
        return self._secrets


    def registers(self) -> bool:
        """Whether tasks register as consumers of what they get."""
        if self.register_consumers is None:
            # What it says is no local variable: somebody may have put a value there.
            if os.environ.get(REGISTER, "") not in ("", "0", "1"):
                raise Usage(f"usage: {REGISTER} is 1 or 0")
            self.register_consumers = os.environ.get(REGISTER) == "1"
        return self.register_consumers


REGISTER = "SECRETKIT_REGISTER_CONSUMERS"

_process = Settings(Source())

# What `context` lays over the settings of the process.
overlay: ContextVar[Settings | None] = ContextVar("secretkit.settings", default=None)


def current() -> Settings:
    """The settings of the code that runs now."""
    return overlay.get() or _process


def secrets() -> Secrets:
    """The store that the code that runs now reads from."""
    return current().secrets()


def configure(
    *,
    store: str | None = None,
    key: str | None = None,
    key_file: Path | None = None,
    previous_keys: Sequence[str] = (),
    org_keys: Mapping[str, str] | None = None,
    anchor: Path | None = None,
    keep: int | None = None,
    value_limit: int | None = None,
    cache: str | None = None,
    cache_stale: str | None = None,
    org: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    actor: str | None = None,
    env_prefix: str | None = None,
    mount_base: Path | None = None,
    register_consumers: bool | None = None,
) -> None:
    """Says for the whole process where secrets come from, in place of whatever was said before.

    What is not given comes from `SECRETKIT_STORE`, `SECRETKIT_KEY`, `SECRETKIT_KEY_FILE`, `SECRETKIT_PREVIOUS_KEYS`,
    `SECRETKIT_ORG_KEYS`, `SECRETKIT_ANCHOR`, `SECRETKIT_KEEP`, `SECRETKIT_VALUE_LIMIT`, `SECRETKIT_CACHE`,
    `SECRETKIT_CACHE_STALE`, `SECRETKIT_ORG`, `SECRETKIT_PROJECT`, `SECRETKIT_DOMAIN`, `SECRETKIT_ACTOR` and `SECRETKIT_REGISTER_CONSUMERS`, or else is the same as for the command. The store is opened
    by the first task that reads a secret.

    A process that is started by `spawn` knows nothing of this call. It sees the variables, or calls `configure`
    itself.

    Args:
        store: The store's URL, `sqlite:/var/lib/app/secrets.db`.
        key: The root key's URL, `file:/etc/app/root.key`; docs/keys.md lists the other kinds.
        key_file: The path of the root key's file, in place of `key`.
        previous_keys: URLs of the root keys of before, until `secretkit key rewrap` has run.
        org_keys: URLs of the root keys of orgs that have one of their own, by org.
        anchor: The path of a file, on another disk, that remembers how far the store was: an old copy of the store in
            its place then raises `RolledBack`. Where a write cannot bring it up to date there is an `AnchorWarning`.
        keep: How many superseded values a secret keeps that does not say otherwise; 10 unless it is said.
        value_limit: How many bytes a value may have, up to 1 MiB; 64 KiB unless it is said.
        cache: For how long sealed records are kept in front of the store, as `"30s"`; `"off"` unless it is said. What
            another process changes is seen within a second where `Secrets.cache_told`, which a PostgreSQL store makes
            true, and within that time everywhere.
        cache_stale: For how much longer while the store cannot be reached, as `"5min"`; not at all unless it is said.
            The two are taken together: with either of them given, neither `SECRETKIT_CACHE` nor
            `SECRETKIT_CACHE_STALE` is looked at.
        org: The org that tasks run in.
        project: The project that tasks run in.
        domain: The domain that tasks run in.
        actor: Who writes and uses are recorded as by.
        env_prefix: What stands before group and key in a variable whose request names none; `_FSEC_` as in flytekit.
        mount_base: Where the directories of secret files are made.
        register_consumers: Whether each task registers, as `module:function`, as a consumer of the secrets that it
            gets, so that none of them can be deleted; not unless it is said here or `SECRETKIT_REGISTER_CONSUMERS`
            is `1`. Where that fails, as with a store that can only be read, there is one `RegistrationWarning`, and
            the task gets its secrets all the same.
    """
    global _process
    source = Source(
        store, key, key_file, actor, None, previous_keys, org_keys, anchor, keep, value_limit, cache, cache_stale
    )
    # Before anything can fail, see `judged`.
    del store, key, previous_keys, org_keys
    _process = Settings(
        source.judged(),
        org,
        project,
        domain,
        env_prefix,
        mount_base,
        register_consumers,
    )


def use(secrets: Secrets) -> None:
    """The same with a store that is open already."""
    global _process
    _process = Settings(Source(secrets=secrets))


@contextmanager
def context(
    *,
    secrets: Secrets | None = None,
    store: str | None = None,
    key: str | None = None,
    key_file: Path | None = None,
    previous_keys: Sequence[str] = (),
    org_keys: Mapping[str, str] | None = None,
    anchor: Path | None = None,
    keep: int | None = None,
    value_limit: int | None = None,
    cache: str | None = None,
    cache_stale: str | None = None,
    org: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    actor: str | None = None,
    env_prefix: str | None = None,
    mount_base: Path | None = None,
    register_consumers: bool | None = None,
) -> Iterator[None]:
    """Says the same for the tasks that the block runs; for hosts that run each task at a scope of its own.

        with secretkit.context(org="acme", project="etl", domain="production"):
            run(job)

    What is not given stays as it is outside of the block, and the store stays open. A scope is taken as a whole: where
    one of `org`, `project` and `domain` is given, the other two say what the scope is, and only the org is inherited.
    So are a store and its root key: where one of them is given, nothing of the other and of the scope is inherited. With
    `actor`, `keep`, `anchor`, `cache` or other keys alone the same store is opened once more; a `memory:` one is then another.
    It holds in this thread or asynchronous task and what it awaits; `secretkit.wrap` carries it into other threads.

    Args:
        secrets: A store that is open already, in place of `store` and the root key.
        store: See `configure`, as for all others.
    """
    outer = current()
    source = Source(
        store, key, key_file, actor, secrets, previous_keys, org_keys, anchor, keep, value_limit, cache, cache_stale
    )
    # Before anything can fail, see `judged`.
    del store, key, previous_keys, org_keys
    if source.names_a_store():
        source = source.judged()
    else:
        source = outer.source.but(source)
        if (org, project, domain) == (None, None, None):
            org, project, domain = outer.org, outer.project, outer.domain
        elif org is None:
            org = outer.org
    inner = Settings(
        source,
        org,
        project,
        domain,
        outer.env_prefix if env_prefix is None else env_prefix,
        outer.mount_base if mount_base is None else mount_base,
        outer.register_consumers if register_consumers is None else register_consumers,
    )
    token = overlay.set(inner)
    try:
        yield
    finally:
        overlay.reset(token)


def open(
    store: str | None = None,
    key: str | None = None,
    *,
    key_file: Path | None = None,
    previous_keys: Sequence[str] = (),
    org_keys: Mapping[str, str] | None = None,
    anchor: Path | None = None,
    keep: int | None = None,
    value_limit: int | None = None,
    cache: str | None = None,
    cache_stale: str | None = None,
    org: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    actor: str | None = None,
) -> Secrets:
    """Opens a store, to keep secrets in it and to read them.

        secrets = secretkit.open("sqlite:my-app/secrets.db", key="file:/etc/my-app/root.key")

    Keep the key apart from the store. Do not open the store's file with Python's own `sqlite3` in the same process: its
    close drops the locks that secretkit holds on it.

    `memory:` is a store that lives and dies with the object, for tests; it needs no key. Names that are given to the
    object are at the scope that `org`, `project` and `domain` make. What is not given comes from the variables that
    `configure` lists.
    """
    source = Source(
        store, key, key_file, actor, None, previous_keys, org_keys, anchor, keep, value_limit, cache, cache_stale
    )
    # Before anything can fail, see `judged`.
    del store, key, previous_keys, org_keys
    return source.judged().open()._at(org, project, domain, None, None)
