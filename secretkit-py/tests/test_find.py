"""Finding secrets: by place, by what people keep about them, and what a task would get."""

import subprocess
import sys
import threading
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest

import secretkit
from secretkit import Effective, SecretInfo, Secrets
from secretkit.exceptions import InvalidMetadata, InvalidScope, NoStore, Usage

NAMES = ["default:a", "default/etl:a", "default/etl/production:a", "default/*/production:b", "default/web:b"]


@pytest.fixture(params=["sqlite", "memory"])
def either(request: pytest.FixtureRequest) -> Secrets:
    if request.param == "memory":
        return secretkit.open("memory:")
    return request.getfixturevalue("secrets")  # type: ignore[no-any-return]


@pytest.fixture
def kept(either: Secrets) -> Secrets:
    either.create("plain", "v")
    either.create("Password", "v", tags=["eu", "payroll"])
    either.create("db/user", "v", description="100 % of the PASSWORDS", tags=["eu"], expires="30d")
    either.create("later", "v", expires="300d")
    either.create("off", "v", active=False)
    return either


def found(secrets: Secrets, **conditions: Any) -> list[str]:
    names = [info.name for info in secrets.list(**conditions)]
    assert [info.name for info in secrets.iterate(**conditions)] == names
    assert sorted(each.info.name for each in secrets.effective(**conditions)) == sorted(names)
    return names


def test_by_text(kept: Secrets) -> None:
    assert found(kept, search="password") == ["Password", "db/user"]
    assert found(kept, search="DB/U") == ["db/user"]
    assert found(kept, search="0 %") == ["db/user"] and found(kept, search="p%d") == []
    assert found(kept, search="payr") == ["Password"]
    for text in ("", "x" * 1025):
        with pytest.raises(InvalidMetadata):
            kept.list(search=text)


def test_by_tags_and_switch(kept: Secrets) -> None:
    assert found(kept, tags=["eu"]) == ["Password", "db/user"]
    assert found(kept, tags=["eu", "payroll"]) == ["Password"]
    assert found(kept, tags=["EU"]) == []
    with pytest.raises(InvalidMetadata):
        kept.list(tags=["a\n"])
    with pytest.raises(TypeError):
        kept.list(tags="eu")
    assert found(kept, active=False) == ["off"]
    assert "off" not in found(kept, active=True) and len(found(kept, active=True)) == 4
    assert found(kept, search="user", tags=["eu"], active=True) == ["db/user"]
    assert found(kept, search="user", tags=["eu"], active=False) == []


def test_by_expiry(kept: Secrets) -> None:
    now = datetime.now(timezone.utc)
    assert found(kept, expiring="31d") == found(kept, expiring=timedelta(days=31)) == ["db/user"]
    assert found(kept, expiring=now + timedelta(days=31)) == ["db/user"]
    assert found(kept, expiring=(now + timedelta(days=301)).date()) == ["later", "db/user"]
    assert found(kept, expiring="7d") == found(kept, expired=True) == []
    assert found(kept, expiring=timedelta(days=-1)) == found(kept, expiring=date(2000, 1, 1)) == []
    kept.edit("plain", expires=timedelta(milliseconds=200))
    while not kept.list(expired=True):
        pass
    assert found(kept, expired=True) == ["plain"]
    assert found(kept, expired=True, expiring="31d") == ["plain", "db/user"]
    assert found(kept, expiring="31d") == ["db/user"]


def test_by_use(kept: Secrets) -> None:
    before = datetime.now(timezone.utc)
    assert found(kept, unused_since="1m") == found(kept, unused_since=timedelta(days=90)) == []
    assert found(kept, unused_since=date.today() - timedelta(days=2)) == []
    assert len(found(kept, unused_since=before)) == 5
    kept.get("plain")
    kept.record_uses()
    assert "plain" not in found(kept, unused_since=before)
    assert len(found(kept, unused_since=before)) == 4
    assert len(found(kept, unused_since=datetime.now(timezone.utc))) == 5
    with pytest.raises(InvalidMetadata):
        kept.list(unused_since="2027-01-31")
    with pytest.raises(InvalidMetadata, match="time zone"):
        kept.list(unused_since=datetime.now())


def test_by_place(either: Secrets) -> None:
    for name in NAMES:
        either.create(name, "v")

    def at(*scope: str, **place: str) -> list[str]:
        return [info.address for info in either.list(*scope, **place)]  # type: ignore[arg-type]

    assert at() == at(within="default") == ["default:a", "default/etl:a", "default/etl/production:a"] + NAMES[3:]
    assert at("default/etl") == at(scope="default/etl") == ["default/etl:a"]
    assert at(within="default/etl") == ["default/etl:a", "default/etl/production:a"]
    assert at(within="nobody") == at(within="default/nobody") == []
    for wrong in ({"scope": "default", "within": "default"}, {"within": "a/b/c"}, {"within": "a/*/c"}):
        with pytest.raises(Usage):
            either.list(**wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidScope):
        either.list(within="a/b/c/d")
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        either.list(colour="blue")  # type: ignore[call-arg]


def test_what_a_task_gets(either: Secrets) -> None:
    for name in NAMES:
        either.create(name, "v")
    either.edit("default/etl/production:a", active=False)

    def shown(effective: Effective) -> tuple[str, list[str]]:
        return effective.info.address, [info.address for info in effective.hides]

    assert list(map(shown, either.effective("default/etl/production"))) == [
        ("default/etl/production:a", ["default/etl:a", "default:a"]),
        ("default/*/production:b", []),
    ]
    assert [shown(each)[0] for each in either.effective()] == ["default:a"]
    assert [shown(each)[0] for each in either.effective("default/etl/production", active=False)] == [
        "default/etl/production:a"
    ]
    first = next(either.effective("default/etl/production"))
    assert isinstance(first.info, SecretInfo) and isinstance(first.hides, tuple)
    assert repr(first) == "Effective('default/etl/production:a', hides=2)"


def test_there_is_nothing_to_find_in_no_store() -> None:
    for find in (secretkit.open().list, secretkit.open().iterate, secretkit.open().effective):
        with pytest.raises(NoStore):
            find()


def test_pages_show_each_once_and_in_order(either: Secrets) -> None:
    # More than two pages, and names whose secrets lie on both sides of a page's end.
    for number in range(600):
        either.create(f"n{number:04}", "v")
        either.create(f"default/etl:n{number:04}", "v")
    addresses = [info.address for info in either.list()]
    assert len(addresses) == 1200 and len(set(addresses)) == 1200
    listing = either.iterate()
    assert iter(listing) is listing
    assert [info.address for info in listing] == addresses
    assert next(listing, None) is None
    effective = list(either.effective("default/etl"))
    assert [each.info.address for each in effective] == [f"default/etl:n{number:04}" for number in range(600)]
    assert all(len(each.hides) == 1 for each in effective)
    before = datetime.now(timezone.utc)
    assert len(list(either.iterate(unused_since=before))) == 1200

    listing = either.iterate("default")
    assert next(listing).name == "n0000"
    either.delete("n0001")
    either.delete("n0550")
    names = [info.name for info in listing]
    assert "n0550" not in names and names[-1] == "n0599", "what is deleted meanwhile is not shown where it is not read yet"


def test_threads_share_a_listing(either: Secrets) -> None:
    for number in range(1200):
        either.create(f"n{number:04}", "v")
    listing, lock = either.iterate(), threading.Lock()
    seen: list[str] = []

    def read() -> None:
        while True:
            with lock:
                info = next(listing, None)
            if info is None:
                return
            seen.append(info.name)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == [f"n{number:04}" for number in range(1200)]


def test_memory_stays_flat() -> None:
    # In a process of its own, whose peak is its own.
    code = """if True:
        import resource, sys
        from secretkit import Secrets
        secrets = Secrets.in_memory()
        for number in range(20_000):
            secrets.create(f"n{number:05}", "v", description="d" * 500)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert sum(1 for _ in secrets.iterate()) == 20_000
        assert sum(1 for _ in secrets.effective()) == 20_000
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        held = secrets.list()
        print(after - before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    iterated, listed = map(int, ended.stdout.split())
    assert iterated * 4 < listed, (iterated, listed)
