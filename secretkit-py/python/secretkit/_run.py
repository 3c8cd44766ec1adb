"""`secretkit.run`: a child process with secrets in its environment."""

from __future__ import annotations

import os

from secretkit import _settings
from secretkit._secretkit import Request, TaskSecrets
from secretkit.exceptions import InvalidRequest, SecretError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from os import PathLike
    from subprocess import CompletedProcess
    from typing import Any

    Argument = str | bytes | PathLike[str] | PathLike[bytes]


def run(
    args: Argument | Sequence[Argument],
    *,
    env: Mapping[str, str] | Iterable[str] = (),
    files: Mapping[str, str] | Iterable[str] = (),
    environ: Mapping[str, str] | None = None,
    **options: Any,
) -> CompletedProcess[Any]:
    """Runs a command with secrets in its environment and waits for it, as `subprocess.run` does.

        secretkit.run(["psql", "-c", "select 1"], env={"PGPASSWORD": "db/password"})
        secretkit.run(["./serve"], env=["API_KEY"], files={"TLS_KEY": "tls.key"}, check=True)

    Each secret is looked for at the scope that is configured, as a task there would get it, all of them in one round
    trip. Only the child gets the values, this process's environment never has them. Where one is missing nothing is
    run, and `NotFound` names all that are. Two for one variable are an error, and so is a value with a NUL byte in a
    variable. Files are readable only by this user, and gone when the command has ended.

    Args:
        args: The command and its arguments. No value is ever put there.
        env: Which variable holds which secret's value, `{"PGPASSWORD": "db/password"}`; or names in the form of the
            command line, `["API_KEY", "db/password=PGPASSWORD"]`.
        files: Which variable holds the path of a file with which secret's value; `["tls.key=TLS_KEY"]` is the same as
            `{"TLS_KEY": "tls.key"}`.
        environ: What the child's environment is otherwise; that of this process if it is not given.
        options: Everything else that `subprocess.run` takes, such as `cwd`, `input`, `check` and `timeout`.
    """
    import subprocess
    from contextlib import suppress

    requests = [*_requests(env, _ANY), *_requests(files, _FILE)]
    secrets = TaskSecrets._of_task(_settings.secrets(), requests) if requests else TaskSecrets._of_nothing()
    child: dict[bytes, bytes] = {}
    try:
        given = os.environ if environ is None else environ
        child.update((os.fsencode(name), os.fsencode(value)) for name, value in given.items())
        for variable in secrets._variables():
            variable.set_in(child)
        done = subprocess.run(args, env=child, **options)
    except BaseException as error:
        with suppress(SecretError):
            secrets._end()
        # The frames below hold the child's environment, and some tools print what frames hold.
        raise error.with_traceback(None)
    finally:
        child.clear()
    secrets._end()
    return done


_ANY, _FILE = 0, 2


def _requests(wanted: Mapping[str, str] | Iterable[str], mount: int) -> Iterator[Request]:
    if isinstance(wanted, str) or not hasattr(wanted, "__iter__"):
        raise InvalidRequest("invalid secret request: env and files are a dict of names by variable, or a list of names")
    pairs = wanted.items() if hasattr(wanted, "items") else map(_pair, wanted)
    for variable, name in pairs:
        if not isinstance(variable, str) or not isinstance(name, str):
            raise InvalidRequest("invalid secret request: secrets and variables are named by str")
        group, slash, key = name.partition("/")
        yield Request(group if slash else None, key if slash else name, None, mount, variable)


def _pair(text: str) -> tuple[str, str]:
    """`NAME=VAR`, or `NAME` for a variable that is called like the key."""
    if not isinstance(text, str):
        raise InvalidRequest("invalid secret request: secrets and variables are named by str")
    name, equals, variable = text.partition("=")
    return (variable if equals else name.rpartition("/")[2], name)
