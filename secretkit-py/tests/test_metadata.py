"""What people keep about a secret: description, tags, expiry, the switch, and how much history."""

import time
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone, tzinfo
from typing import Any

import pytest

import secretkit
from secretkit import Secret, SecretInfo, Secrets, current_context, task
from secretkit.exceptions import Conflict, Expired, Inactive, InvalidMetadata, InvalidRequest, NotFound

UTC = timezone.utc


@task(secret_requests=[Secret(key="token")])
def read() -> str:
    return current_context().secrets.get("token")


def test_is_kept_from_the_first_write(secrets: Secrets) -> None:
    expires = datetime(2999, 1, 2, 3, 4, 5, 678901, tzinfo=timezone(timedelta(hours=2)))
    made = secrets.create(
        "token", "t", description="for the nightly run", tags={"eu", "payroll"}, expires=expires, active=False, keep=3
    )
    for info in (made, secrets.info("token"), secrets.list()[0]):
        assert (info.description, info.tags, info.keep) == ("for the nightly run", ("eu", "payroll"), 3)
        assert info.expires_at == expires and info.expires_at.utcoffset() == timedelta(0)
        assert not info.active and info.inactive_since == info.created_at
        assert (info.revision, info.first_revision, info.generation) == (1, 1, 1)


@pytest.mark.parametrize("write", ["put", "update", "edit"])
def test_a_change_leaves_what_it_does_not_name(secrets: Secrets, write: str) -> None:
    secrets.create("token", "t", description="d", tags=["a", "b"], expires="90d", keep=3)

    def change(**metadata: Any) -> SecretInfo:
        value = () if write == "edit" else ("t",)
        changed: SecretInfo = getattr(secrets, write)("token", *value, **metadata)
        return changed

    before = secrets.info("token")
    assert change(add_tags=["c"], remove_tags=["a", "absent"]).tags == ("b", "c")
    assert change(description="other").description == "other"
    assert change(tags=("x",), add_tags=["y"]).tags == ("x", "y")
    assert change(keep=5).keep == 5
    assert change(expires=date(2999, 1, 31)).expires_at == datetime(2999, 2, 1, tzinfo=UTC)
    off = change(active=False)
    assert not off.active and off.inactive_since is not None
    assert timedelta(0) <= off.updated_at - off.inactive_since < timedelta(seconds=1)
    assert change(active=False).inactive_since == off.inactive_since
    assert change(active=True).inactive_since is None
    left = secrets.info("token")
    assert (left.description, left.tags, left.keep, left.id) == ("other", ("x", "y"), 5, before.id)

    gone = change(description=None, tags=None, expires=None, keep=None)
    assert (gone.description, gone.tags, gone.expires_at, gone.keep) == (None, (), None, None)
    assert change(tags=["z"]).tags == ("z",) and change(tags=[]).tags == ()


def test_the_default_that_signatures_show_can_be_passed_on(secrets: Secrets) -> None:
    def create(name: str, description: Any = ..., tags: Any = ..., expires: Any = ..., keep: Any = ...) -> SecretInfo:
        return secrets.create(name, "t", description=description, tags=tags, expires=expires, active=..., keep=keep)  # type: ignore[arg-type]

    bare = create("bare")
    assert (bare.description, bare.tags, bare.expires_at, bare.active, bare.keep) == (None, (), None, True, None)
    assert create("token", description="d", tags=["a"]).tags == ("a",)
    left = secrets.edit("token", description=..., tags=..., add_tags=..., remove_tags=...)  # type: ignore[call-overload]
    assert (left.description, left.tags, left.generation) == ("d", ("a",), 1)


def test_an_edit_is_no_new_value(secrets: Secrets) -> None:
    made = secrets.create("token", "t")
    edited = secrets.edit("token", description="d", generation=made.generation)
    assert (edited.generation, edited.revision, edited.digest, edited.id) == (2, 1, made.digest, made.id)
    assert (edited.value_at, edited.created_at) == (made.value_at, made.created_at)
    assert len(secrets.history("token")) == 1
    assert secrets.edit("token", description="d").generation == 2, "nothing would change"
    assert secrets.edit("token").generation == 2
    with pytest.raises(Conflict, match="expected at generation 1 and is at 2"):
        secrets.edit("token", description="lost", generation=made.generation)
    with pytest.raises(Conflict):
        secrets.update("token", "lost", description="lost", generation=1)
    for wrong in (0, -1, True, 1.0, "1", 2**70):
        with pytest.raises(InvalidRequest, match="generation is a number from 1"):
            secrets.edit("token", generation=wrong)  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        secrets.edit("nowhere", description="d")
    both = secrets.update("token", "new", description="in one commit", generation=2)
    assert (both.generation, both.revision, both.description) == (3, 2, "in one commit")


class Odd(tzinfo):
    """A time zone that no table names."""

    def utcoffset(self, at: datetime | None) -> timedelta:
        return timedelta(hours=-3, minutes=-7)

    def dst(self, at: datetime | None) -> None:
        return None

    def tzname(self, at: datetime | None) -> str:
        return "odd"


@pytest.mark.parametrize(
    ("expires", "at"),
    [
        (datetime(2999, 1, 31, 18, tzinfo=UTC), datetime(2999, 1, 31, 18, tzinfo=UTC)),
        (datetime(2999, 1, 31, 18, tzinfo=Odd()), datetime(2999, 1, 31, 21, 7, tzinfo=UTC)),
        (date(2999, 1, 31), datetime(2999, 2, 1, tzinfo=UTC)),
        (date(2999, 12, 31), datetime(3000, 1, 1, tzinfo=UTC)),
        ("2999-01-31", datetime(2999, 2, 1, tzinfo=UTC)),
        ("2999-01-31T18:00:00+02:00", datetime(2999, 1, 31, 16, tzinfo=UTC)),
    ],
)
def test_an_expiry_is_a_point_in_time(expires: datetime | date | str, at: datetime) -> None:
    assert Secrets.in_memory().create("token", "t", expires=expires).expires_at == at


@pytest.mark.parametrize(
    ("expires", "span"),
    [("90d", timedelta(days=90)), ("30m", timedelta(minutes=30)), (timedelta(days=1, microseconds=1),) * 2],
)
def test_or_counted_from_now(expires: timedelta | str, span: timedelta) -> None:
    made = Secrets.in_memory().create("token", "t", expires=expires)
    assert made.expires_at is not None
    assert timedelta(0) <= made.created_at + span - made.expires_at < timedelta(seconds=5) or (
        timedelta(0) <= made.expires_at - made.created_at - span < timedelta(seconds=5)
    )


@pytest.mark.parametrize(
    ("metadata", "error", "words"),
    [
        ({"expires": datetime(2999, 1, 1)}, InvalidMetadata, "does not say in which time zone it is"),
        ({"expires": datetime(2000, 1, 1, tzinfo=UTC)}, InvalidMetadata, "it has passed already"),
        ({"expires": date(2000, 1, 1)}, InvalidMetadata, "it has passed already"),
        ({"expires": timedelta(0)}, InvalidMetadata, "it has passed already"),
        ({"expires": timedelta(days=-1)}, InvalidMetadata, "it has passed already"),
        ({"expires": timedelta.max}, InvalidMetadata, "it lies beyond the calendar"),
        ({"expires": timedelta.min}, InvalidMetadata, "it lies beyond the calendar"),
        ({"expires": date.max}, InvalidMetadata, "it lies beyond the calendar"),
        ({"expires": datetime.max.replace(tzinfo=UTC)}, InvalidMetadata, "it lies beyond the calendar"),
        ({"expires": "hunter2"}, InvalidMetadata, "write a date such as"),
        ({"expires": "\ud800"}, InvalidMetadata, "not Unicode"),
        ({"expires": 90}, TypeError, "not int"),
        ({"description": ""}, InvalidMetadata, "it is empty"),
        ({"description": "hunter2\n"}, InvalidMetadata, "offset 7"),
        ({"description": "x" * 1025}, InvalidMetadata, "1025 bytes"),
        ({"description": "hunter2\ud800"}, InvalidMetadata, "not Unicode"),
        ({"description": b"hunter2"}, TypeError, "not bytes"),
        ({"tags": "hunter2"}, TypeError, "a list of str, not str"),
        ({"tags": 5}, TypeError, "a list of str, not int"),
        ({"tags": ["a", b"hunter2"]}, TypeError, "not bytes"),
        ({"tags": ["hunter2\t"]}, InvalidMetadata, "tag"),
        ({"tags": [f"t{number}" for number in range(33)]}, InvalidMetadata, "at most 32"),
        ({"active": None}, TypeError, "not NoneType"),
        ({"active": 1}, TypeError, "not int"),
        ({"keep": -1}, InvalidMetadata, "number from 0"),
        ({"keep": 2**32}, InvalidMetadata, "number from 0"),
        ({"keep": True}, TypeError, "not bool"),
        ({"keep": "3"}, TypeError, "not str"),
        ({"colour": "hunter2"}, TypeError, "unexpected keyword argument 'colour'"),
    ],
)
def test_refuses_what_breaks_the_rules(metadata: dict[str, Any], error: type[Exception], words: str) -> None:
    secrets = Secrets.in_memory({"token": "t"})
    calls: list[Callable[[], object]] = [
        lambda: secrets.create("new", "n", **metadata),
        lambda: secrets.put("new", "n", **metadata),
        lambda: secrets.update("token", "n", **metadata),
        lambda: secrets.edit("token", **metadata),
    ]
    for call in calls:
        with pytest.raises(error, match=words) as raised:
            call()
        assert "hunter2" not in str(raised.value)
    assert [(info.name, info.generation) for info in secrets.list()] == [("token", 1)]
    with pytest.raises(TypeError, match="unexpected keyword argument 'add_tags'"):
        secrets.create("new", "n", add_tags=["a"])  # type: ignore[call-arg]


def test_an_inactive_secret_is_refused_and_an_expired_one(secrets: Secrets) -> None:
    secrets.create("token", "t")
    off = secrets.edit("token", active=False)
    since = f"{off.inactive_since:%Y-%m-%dT%H:%M}"
    for refused in (lambda: secrets.get("token"), read, lambda: secrets.get("token", revision=1)):
        with pytest.raises(Inactive, match=f"default:token was switched off at {since}"):
            refused()
    assert secrets.verify_value("token", "t")
    secrets.edit("token", active=True, expires=timedelta(milliseconds=200))
    assert read() == "t"
    time.sleep(0.25)
    for refused in (lambda: secrets.get("token"), read, lambda: current_context().secrets.get("token")):
        with pytest.raises(Expired, match="default:token expired at"):
            refused()
    assert secrets.info("token").expires_at is not None
    secrets.edit("token", expires=None)
    assert read() == "t"


def test_text_is_authenticated_and_never_a_value(secrets: Secrets) -> None:
    info = secrets.create("token", "canary", description="d'\"\\", tags=["ä"])
    assert (info.description, info.tags) == ("d'\"\\", ("ä",))
    assert "canary" not in repr(info)
    with pytest.raises(AttributeError):
        info.description = "other"  # type: ignore[misc]
    assert isinstance(info, secretkit.SecretInfo)
