"""Secrets for task code and applications: asked for by name, read where they are needed, and never shown."""

from secretkit import _fork as _fork
from secretkit._around import wrap
from secretkit._context import current_context
from secretkit._run import run
from secretkit._secret import Secret
from secretkit._secretkit import (
    ConsumerInfo,
    Effective,
    RevisionInfo,
    SecretInfo,
    Secrets,
    SecretValue,
    StoreCheck,
    TaskSecrets,
    create_root_key,
    harden_process,
)
from secretkit._secretkit import __version__ as __version__
from secretkit._settings import configure, context
from secretkit._settings import open as open  # not in __all__: a star must not replace Python's own
from secretkit._task import task, workflow
from secretkit.exceptions import SecretError

__all__ = [
    "ConsumerInfo",
    "Effective",
    "RevisionInfo",
    "Secret",
    "SecretError",
    "SecretInfo",
    "SecretValue",
    "Secrets",
    "StoreCheck",
    "TaskSecrets",
    "configure",
    "context",
    "create_root_key",
    "current_context",
    "harden_process",
    "run",
    "task",
    "workflow",
    "wrap",
]
