"""The values that a secret had, and its id."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

import secretkit
from places import Places
from secretkit import Secret, Secrets, _settings, current_context, task
from secretkit.exceptions import Conflict, InvalidMetadata, InvalidRequest, NotFound, Usage


@pytest.fixture(params=["sqlite", "memory"])
def either(request: pytest.FixtureRequest) -> Secrets:
    if request.param == "memory":
        return secretkit.open("memory:")
    return request.getfixturevalue("secrets")  # type: ignore[no-any-return]


def test_every_value_that_is_kept(either: Secrets) -> None:
    made = either.create("token", "one")
    second = either.update("token", "two")
    either.update("token", "one")
    history = either.history("token")
    assert [revision.revision for revision in history] == [3, 2, 1]
    assert history[0].digest == history[2].digest == made.digest != history[1].digest == second.digest
    assert (history[1].value_at, history[1].value_by) == (second.value_at, second.value_by)
    assert history[2].value_at < history[1].value_at < history[0].value_at
    assert repr(history[0]) == "RevisionInfo(3)"
    assert [either.get("token", revision=number).text() for number in (1, 2, 3)] == ["one", "two", "one"]
    assert either.get("token", revision=None).text() == "one"
    for missing in (4, 2**62):
        with pytest.raises(NotFound, match=f"revision {missing} of default:token; it keeps 1 to 3"):
            either.get("token", revision=missing)
    for wrong in (0, -1, True, "1", 1.0, 2**63):
        with pytest.raises(InvalidRequest, match="a revision is a number from 1"):
            either.get("token", revision=wrong)  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        either.history("nowhere")


def test_going_back_is_a_new_revision(either: Secrets) -> None:
    either.create("token", "one", description="stays")
    either.update("token", "two")
    back = either.rollback("token", to=1, generation=2)
    assert (back.revision, back.generation, back.description) == (3, 3, "stays")
    assert either.get("token").text() == "one"
    with pytest.raises(Conflict):
        either.rollback("token", to=2, generation=2)
    with pytest.raises(InvalidRequest, match="the current revision"):
        either.rollback("token", to=3)
    with pytest.raises(NotFound):
        either.rollback("token", to=9)
    with pytest.raises(InvalidRequest):
        either.rollback("token", to="1")  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        either.rollback("token")  # type: ignore[call-overload]


def test_how_much_is_kept(either: Secrets) -> None:
    either.create("token", "0", keep=2)
    for number in range(1, 6):
        either.update("token", str(number))
    assert [revision.revision for revision in either.history("token")] == [6, 5, 4]
    assert either.info("token").first_revision == 4
    pruned = either.prune("token", keep=1)
    assert (pruned.first_revision, pruned.keep, pruned.revision) == (5, 2, 6)
    assert either.edit("token", keep=0).first_revision == 6
    assert len(either.history("token")) == 1
    either.create("standard", "0")
    for number in range(1, 15):
        either.update("standard", str(number))
    assert len(either.history("standard")) == 11
    with pytest.raises(InvalidMetadata):
        either.prune("token", keep=-1)


def test_the_standard_is_what_the_host_says(
    secrets: Secrets, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kept(name: str, store: Secrets) -> int:
        secrets.create(name, "0")
        for number in range(1, 6):
            store.update(name, str(number))
        return len(secrets.history(name)) - 1

    assert kept("opened", secretkit.open(**places, keep=2)) == 2
    secretkit.configure(**places, keep=0)
    assert kept("configured", _settings.secrets()) == 0
    with secretkit.context(org="default"):
        assert kept("inherited", _settings.secrets()) == 0
    with secretkit.context(**places, keep=3):
        assert kept("context", _settings.secrets()) == 3
    monkeypatch.setenv("SECRETKIT_KEEP", "1")
    assert kept("variable", secretkit.open(**places)) == 1
    assert kept("said", secretkit.open(**places, keep=4)) == 4
    store = secretkit.open(**places, keep=0)
    store.create("own", "0", keep=2)
    assert store.update("own", "1").first_revision == 1


def test_a_standard_that_is_none_is_refused(places: Places) -> None:
    for wrong in (-1, 1 << 32):
        with pytest.raises(InvalidMetadata, match="keep"):
            secretkit.open(**places, keep=wrong)
    for other in ("3", True, 1.0):
        with pytest.raises(TypeError, match="keep is int"):
            secretkit.open(**places, keep=other)  # type: ignore[arg-type]
    with pytest.raises(Usage, match="keep"), secretkit.context(secrets=secretkit.open("memory:"), keep=1):
        pass


def test_a_task_asks_for_a_revision(secrets: Secrets) -> None:
    secrets.create("token", "one")
    secrets.update("token", "two")

    @task(secret_requests=[Secret("token", group_version=1), Secret("token")])
    def t1() -> tuple[str, str]:
        got = current_context().secrets
        return got.get("token", group_version=1), got.get("token")

    assert t1() == ("one", "two")
    secrets.rollback("token", to=1)
    assert t1() == ("one", "one")
    secrets.prune("token", keep=0)
    with pytest.raises(NotFound, match="revision 1 of default:token; it keeps 3 to 3"):
        t1()


# Every call but `create` and `put`, in place of a name.
CALLS: list[Callable[..., object]] = [
    lambda secrets, **by: secrets.info(**by),
    lambda secrets, **by: secrets.get(**by),
    lambda secrets, **by: secrets.get(**by, revision=1),
    lambda secrets, **by: secrets.update(**by, value="v"),
    lambda secrets, **by: secrets.edit(**by, description="d"),
    lambda secrets, **by: secrets.verify_value(**by, value="v"),
    lambda secrets, **by: secrets.history(**by),
    lambda secrets, **by: secrets.rollback(**by, to=1),
    lambda secrets, **by: secrets.add_consumer(**by, consumer="job"),
    lambda secrets, **by: secrets.consumers(**by),
    lambda secrets, **by: secrets.prune_consumers(**by, unseen_since=timedelta(days=1)),
    lambda secrets, **by: secrets.remove_consumer(**by, consumer="job"),
    lambda secrets, **by: secrets.prune(**by, keep=1),
    lambda secrets, **by: secrets.delete(**by),
]


def test_an_id_stands_for_a_name(either: Secrets) -> None:
    info = either.create("default/etl:token", "v")
    assert either.put("default/etl:token", "w").id == info.id
    for call in CALLS:
        call(either, id=info.id)
    again = either.create("default/etl:token", "v")
    assert again.id != info.id
    for call in CALLS:
        with pytest.raises(NotFound, match=f"no secret with id {info.id} in org default"):
            call(either, id=info.id)
        call(either, name="default/etl:token")


def test_an_id_is_one_of_this_org(either: Secrets) -> None:
    theirs = either.create("other:token", "v")
    for call in CALLS:
        for missing in (theirs.id, str(uuid4())):
            with pytest.raises(NotFound):
                call(either, id=missing)
        for wrong in ("", "hunter2", theirs.id.replace("-", ""), "{" + theirs.id + "}", "\ud800"):
            with pytest.raises(InvalidMetadata) as raised:
                call(either, id=wrong)
            assert "hunter2" not in str(raised.value)
        with pytest.raises(Usage, match="not both"):
            call(either, name="other:token", id=theirs.id)
        with pytest.raises(Usage, match="give a name, or an id"):
            call(either)
    assert either.info("other:token").generation == 1


def test_what_stands_behind_a_name_cannot_be_left_out() -> None:
    secrets: Any = Secrets.in_memory({"token": "v"})
    for call in (secrets.update, secrets.verify_value):
        with pytest.raises(TypeError, match="missing required argument 'value'"):
            call("token")
    for call in (secrets.add_consumer, secrets.remove_consumer):
        with pytest.raises(TypeError, match="missing required argument 'consumer'"):
            call("token")
