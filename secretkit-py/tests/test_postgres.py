"""A store in PostgreSQL: nothing changes but the URL."""

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import secretkit
from conftest import left_in
from forks import fork_while_it_is_used, in_a_fork
from places import Places
from secretkit import Secret, Secrets, current_context, task
from secretkit.exceptions import AlreadyExists, Busy, Denied, NotFound, Unavailable, Unsupported
from servers import Server

VALUE = "cAnArY-7fZq"

# From Python 3.12 on, a fork with threads around is warned of. That it works all the same is what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def places(server: Server, tmp_path: Path) -> Places:
    """A store that nobody else uses, and a root key."""
    key = tmp_path / "root.key"
    secretkit.create_root_key(key)
    return {"store": server.database(), "key": f"file:{key}"}


@task(secret_requests=[Secret(key="token")])
def read() -> str:
    return current_context().secrets.get("token")


def test_what_the_first_write_makes_is_kept(secrets: Secrets, places: Places) -> None:
    info = secrets.create("db/password", VALUE, description="of reports", tags=["eu"])
    assert (info.name, info.revision) == ("db/password", 1)
    with pytest.raises(AlreadyExists):
        secrets.create("db/password", "other")
    secrets.update("db/password", "second")
    again = secretkit.open(**places)
    assert again.get("db/password").text() == "second"
    assert again.get("db/password", revision=1).text() == VALUE
    assert [(info.name, info.description, tuple(info.tags)) for info in again.list()] == [
        ("db/password", "of reports", ("eu",))
    ]
    again.delete("db/password")
    with pytest.raises(NotFound):
        secrets.get("db/password")


def test_a_task_gets_values_variables_and_files(secrets: Secrets, mounts: Path) -> None:
    secrets.create("token", "for the org")
    secrets.create("default/etl:token", "for etl")
    secrets.create("cert", b"one\xff\n")

    @task(
        secret_requests=[
            Secret(key="token"),
            Secret(key="token", env_var="TOKEN_OF_TEST"),
            Secret(key="cert", mount_requirement=Secret.MountType.FILE),
        ]
    )
    def t1() -> tuple[str, str, bytes]:
        held = current_context().secrets
        return held.get("token"), os.environ["TOKEN_OF_TEST"], Path(held.get_secrets_file("cert")).read_bytes()

    with secretkit.context(mount_base=mounts):
        assert t1() == ("for the org", "for the org", b"one\xff\n")
        with secretkit.context(project="etl"):
            assert t1()[:2] == ("for etl", "for etl")
    assert "TOKEN_OF_TEST" not in os.environ
    assert left_in(mounts) == []


def test_a_server_that_is_gone_is_unavailable_and_one_that_is_back_is_used(secrets: Secrets, server: Server) -> None:
    secrets.create("token", VALUE)
    server.stop()
    try:
        for _ in range(2):
            with pytest.raises(Unavailable) as raised:
                secrets.get("token")
            assert isinstance(raised.value, ConnectionError) and raised.value.kind == "unavailable"
        with pytest.raises(Unavailable):
            secrets.update("token", "never")
        with pytest.raises(Unavailable):
            read()
    finally:
        server.start()
    # Nothing is opened anew.
    assert secrets.get("token").text() == VALUE
    assert read() == VALUE
    secrets.update("token", "of afterwards")
    assert read() == "of afterwards"


def test_what_is_wrong_is_told_without_the_password(places: Places) -> None:
    login, _, rest = places["store"].partition("@")
    user = login.rpartition(":")[0]
    wrong = {
        f"{user}:hunter2@{rest}": Denied,
        f"{user}:hunter2@127.0.0.1:1/{rest.partition('/')[2]}": Unavailable,
        f"{places['store']}&sslcrl=hunter2": Unsupported,
        # Its time-outs are the URL's to set.
        f"{places['store']}&connect_timeout=hunter2": Unsupported,
    }
    for store, kind in wrong.items():
        with pytest.raises(kind) as raised:
            secretkit.open(store=store, key=places["key"]).list()
        assert "hunter2" not in str(raised.value)
        # The frames that an error passes are searched after each test: here an error of a block's own.
        with pytest.raises(kind), secretkit.context(store=store, key=places["key"]):
            read()


def test_the_store_is_looked_at_from_outside(secrets: Secrets, places: Places) -> None:
    secrets.create("token", VALUE)
    checks = {check.check: check for check in secrets.examine()}
    # The tests' server waits for no disk, and the URL has the owner's login in it.
    ratings = {"TLS": "secure", "tables": "secure", "login": "weak", "password": "weak", "durability": "insecure"}
    assert {name: checks[name].rating for name in ratings} == ratings
    password = places["store"].partition("@")[0].rpartition(":")[2]
    for check in checks.values():
        assert (check.rating == "secure") == (check.advice is None)
        assert password not in f"{check!r} {check.finding} {check.advice}"


def test_a_forked_child_reads_and_writes_while_the_store_is_open(secrets: Secrets) -> None:
    secrets.create("token", "first")
    assert read() == "first"

    def work() -> None:
        assert read() == "first"
        assert secrets.get("token").text() == "first"
        secrets.update("token", "of the child")

    in_a_fork(work)
    assert read() == "of the child"
    secrets.update("token", "of the parent")
    assert read() == "of the parent"


def _read_numbered(number: int) -> str:
    return f"{read()}{number}"


def test_multiprocessing_by_fork(secrets: Secrets) -> None:
    secrets.create("token", "t")
    assert read() == "t"
    fork = multiprocessing.get_context("fork")
    with fork.Pool(3) as pool:
        assert pool.map(_read_numbered, range(9)) == [f"t{number}" for number in range(9)]
    assert read() == "t"


def test_a_fork_of_a_busy_process_comes_to_an_end(secrets: Secrets) -> None:
    fork_while_it_is_used(secrets, threads=3, children=10)
    assert {info.name for info in secrets.list()} >= {f"child{number}" for number in range(10)}


def test_threads_share_the_store_and_one_of_them_wins(secrets: Secrets) -> None:
    def create(number: int) -> bool:
        try:
            secrets.create("contended", str(number))
        except AlreadyExists:
            return False
        return True

    with ThreadPoolExecutor(12) as pool:
        assert sum(pool.map(create, range(24))) == 1
        kept = secrets.get("contended").text()
        list(pool.map(lambda number: secrets.put(f"k{number % 4}", str(number)), range(24)))
        assert set(pool.map(lambda _: secrets.get("contended").text(), range(24))) == {kept}
    assert sum(secrets.info(f"k{number}").revision for number in range(4)) == 24


def test_a_pool_without_room_is_busy(places: Places) -> None:
    """Whoever has no connection within the time-out hears of it, and the next one may."""
    secrets = secretkit.open(store=f"{places['store']}&pool_size=1&pool_timeout=1ms", key=places["key"])
    secrets.create("token", "t")

    def tried(_: int) -> str:
        try:
            return secrets.get("token").text()
        except Busy as error:
            return error.kind

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(tried, range(200))) <= {"t", "busy"}
    assert secrets.get("token").text() == "t"
