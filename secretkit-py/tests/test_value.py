"""`SecretValue`, and that no object shows a byte of a value."""

import copy
import gc
import json
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

import secretkit
from secretkit import Secret, SecretError, Secrets, SecretValue, _environment, current_context, task
from secretkit._secretkit import Group
from secretkit.testing import memory_secrets

CANARY = "cAnArY-9f27c3"


def test_gives_its_bytes_when_asked() -> None:
    value = SecretValue("hunter2")
    assert value.text() == "hunter2" and value.bytes() == b"hunter2"
    assert SecretValue(b"\xff").bytes() == b"\xff"
    with pytest.raises(SecretError, match="offset 1") as raised:
        SecretValue(b"a\xff").text()
    assert raised.value.__context__ is None


def test_is_exposed_for_a_block_and_wiped() -> None:
    value = SecretValue(b"hunter2")
    with value.expose() as view:
        assert bytes(view) == b"hunter2" and view.readonly is False
        inner = view[:3]
        bytearray_of = view.obj
    assert bytes(inner) == b"\0\0\0" and bytearray_of == bytearray(7)
    inner.release()
    assert value.text() == "hunter2"

    with pytest.raises(KeyError), value.expose() as view:
        bytearray_of = view.obj
        raise KeyError
    assert bytearray_of == bytearray(7)

    with value.expose() as view:
        view.release()

    exposed = value.expose()
    with exposed as first, exposed as second:
        # Entered twice, the first view is wiped at once: there is one place to wipe at the end.
        assert bytes(second) == b"hunter2"
        with pytest.raises(ValueError, match="released"):
            bytes(first)


def test_compares_with_its_like_only() -> None:
    assert SecretValue("a") == SecretValue(b"a")
    assert SecretValue("a") != SecretValue("b") and SecretValue("a") != SecretValue("aa")
    assert SecretValue("a") != "a" and SecretValue("a") != b"a"
    with pytest.raises(TypeError, match="unhashable"):
        hash(SecretValue("a"))
    for ordering in ("__lt__", "__le__", "__gt__", "__ge__"):
        assert getattr(SecretValue("a"), ordering)(SecretValue("b")) is NotImplemented


def test_takes_bytes_like_objects_and_nothing_else() -> None:
    with pytest.raises(TypeError, match="not int"):
        SecretValue(5)  # type: ignore[arg-type]
    for attribute in ("__dict__", "__bytes__", "__len__", "__iter__", "__buffer__"):
        assert not hasattr(SecretValue("a"), attribute)
    with pytest.raises(TypeError):
        type("Sub", (SecretValue,), {})


def test_what_a_listing_shows_can_be_copied(tmp_path: Path) -> None:
    secrets = Secrets.in_memory({"token": "t"})
    secrets.add_consumer("token", "jobs:nightly")
    source = tmp_path / "old.env"
    source.write_text("A=1\n")
    things: list[object] = [secrets.info("token"), *secrets.history("token"), *secrets.consumers("token")]
    things += [*secrets.effective(), *secrets.examine(), secrets.import_file(str(source), dry_run=True)]
    assert len({type(thing) for thing in things}) == 6
    for thing in things:
        assert copy.copy(thing) is thing and copy.deepcopy([thing])[0] is thing


def shows(thing: object) -> list[str]:
    """Everything that prints, logs and serializers make of an object."""
    ways: list[Callable[[], object]] = [
        lambda: repr(thing),
        lambda: str(thing),
        lambda: format(thing, ""),
        lambda: format(thing, ">40"),
        lambda: f"{thing!a}",
        lambda: "%s %r" % (thing, thing),
        lambda: pickle.dumps(thing),
        lambda: pickle.dumps(thing, 0),
        lambda: json.dumps(thing),
        lambda: json.dumps(thing, default=str),
        lambda: json.dumps(thing, default=vars),
        lambda: repr(copy.copy(thing)),
        lambda: repr(copy.deepcopy(thing)),
        lambda: repr([getattr(thing, name) for name in dir(thing) if name not in ("text", "bytes")]),
        lambda: repr(gc.get_referents(thing)),
    ]
    shown = []
    for way in ways:
        try:
            shown.append(repr(way()))
        except (TypeError, AttributeError, pickle.PicklingError) as error:
            shown.append(repr(error))
    return shown


def test_no_public_object_shows_a_byte_of_a_value() -> None:
    things: list[object] = []

    @task(
        secret_requests=[
            Secret(key="token", env_var="CANARY_OF_TEST"),
            Secret("db", "password", mount_requirement=Secret.MountType.FILE),
        ]
    )
    def t1() -> None:
        context = current_context()
        things.extend(
            [context, context.secrets, context.secrets.db, *context.secrets._variables(), _environment._claims]
        )

    with memory_secrets({"token": CANARY, "db/password": CANARY}) as secrets:
        t1()
        value = secrets.get("token")
        exposed = value.expose()
        with exposed:
            things.append(exposed)
        things += [secrets, value, secrets.info("token"), secrets.list(), current_context(), current_context().secrets]
        things += [{"value": value}, [value], (value,), secretkit._settings.overlay.get()]
        assert any(isinstance(thing, Group) for thing in things)
        for thing in things:
            for shown in shows(thing):
                assert CANARY not in shown
    assert repr(SecretValue(CANARY)) == str(SecretValue(CANARY)) == f"{SecretValue(CANARY):>3}" == "SecretValue('***')"
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(SecretValue(CANARY))


def test_no_traceback_of_ours_shows_a_byte_of_a_value() -> None:
    """Reporters print the local variables of every frame. None of ours holds a value."""

    class Unloadable(dict[str, str]):
        def items(self) -> list[tuple[str, str]]:  # type: ignore[override]
            return [("token", CANARY), ("not a name", CANARY)]

    @task(secret_requests=[Secret(key="other", env_var="CANARY_OF_TEST")])
    def claims() -> None: ...

    @task(secret_requests=[Secret(key="token", env_var="CANARY_OF_TEST"), Secret(key="binary"), Secret(key="lost")])
    def fails(how: Callable[[], object]) -> None:
        how()

    def load() -> None:
        with memory_secrets(Unloadable()):
            pytest.fail("it must not load")

    def fail() -> None:
        raise KeyError("of the task's own")

    def generate() -> None:
        @task(secret_requests=[Secret(key="token")])
        def generator() -> object:
            yield SecretValue(current_context().secrets.get("token"))
            raise KeyError("of the generator's own")

        list(generator())  # type: ignore[call-overload]

    hows: list[Callable[[], object]] = [
        load,
        fail,
        generate,
        claims,
        lambda: current_context().secrets.get("lost"),
        lambda: current_context().secrets.get("binary"),
        lambda: current_context().secrets.get("never asked for"),
        lambda: current_context().secrets.get("token", encode_mode="x"),  # type: ignore[call-overload]
        lambda: current_context().secrets.get_secrets_file("token"),
        lambda: Secrets.in_memory(Unloadable()),
        lambda: SecretValue(CANARY.encode() + b"\xff").text(),
        lambda: pickle.dumps(SecretValue(CANARY)),
        lambda: hash(SecretValue(CANARY)),
    ]
    told = []

    def collect() -> None:
        for how in hows:
            try:
                fails(how)
            except Exception as error:
                told.append("".join(traceback.TracebackException.from_exception(error, capture_locals=True).format()))

    with memory_secrets({"token": CANARY, "other": "o", "binary": CANARY.encode() + b"\xff"}):
        collect()
    assert len(told) == len(hows)
    assert all("_around.py" in text for text in told)
    for text in told:
        assert CANARY not in text.replace(f"CANARY = '{CANARY}'", ""), text
