"""Secrets for tests, in memory only."""

from __future__ import annotations

from contextlib import contextmanager

from secretkit._secretkit import Secrets, SecretValue
from secretkit._settings import context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@contextmanager
def memory_secrets(
    secrets: Mapping[str, str | bytes | SecretValue],
    /,
    *,
    org: str | None = None,
    project: str | None = None,
    domain: str | None = None,
) -> Iterator[Secrets]:
    """Gives the code in the block these secrets and no others. Nothing touches a disk, a variable or a key file.

    Names are `key`, `group/key` or a full address such as `acme/etl:db/password`; without a scope they belong to the
    org, where every task sees them. Tasks run at the scope that `org`, `project` and `domain` make.

        with memory_secrets({"my_secret": "s3cret", "db/password": b"hunter2"}):
            t1()
    """
    try:
        opened = Secrets.in_memory(secrets, org=org, project=project, domain=domain)
    finally:
        # A failing test's report may show the local variables of this frame.
        del secrets
    with context(secrets=opened):
        yield opened
