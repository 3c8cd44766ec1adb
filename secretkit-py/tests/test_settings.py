"""Where secrets come from: variables, `configure` and `context`."""

import os
from pathlib import Path

import pytest

import secretkit
from hostile import NAMES
from leaks import VALUES, shown
from needles import found_in
from places import Places
from secretkit import Secret, SecretError, Secrets, _settings, current_context, task
from secretkit.exceptions import NotFound, Usage
from secretkit.testing import memory_secrets


@task(secret_requests=[Secret(key="token")])
def read() -> str:
    return current_context().secrets.get("token")


@pytest.fixture
def scoped(secrets: Secrets) -> Secrets:
    """The same name at every kind of scope, each with its scope as the value."""
    for scope in ("acme", "acme/etl", "acme/*/production", "acme/etl/production", "other"):
        secrets.create(f"{scope}:token", scope)
    return secrets


def test_a_task_finds_the_nearest(scoped: Secrets, places: Places) -> None:
    expected = {
        (None, None): "acme",
        ("etl", None): "acme/etl",
        (None, "production"): "acme/*/production",
        ("etl", "production"): "acme/etl/production",
        ("etl", "staging"): "acme/etl",
        ("web", "production"): "acme/*/production",
        ("web", "staging"): "acme",
    }
    for (project, domain), scope in expected.items():
        secretkit.configure(**places, org="acme", project=project, domain=domain)
        assert read() == current_context().secrets.get("token") == scope
    secretkit.configure(**places, org="nobody")
    with pytest.raises(NotFound, match="token; searched nobody"):
        read()


def test_variables_say_what_nobody_configured(
    scoped: Secrets, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRETKIT_STORE", places["store"])
    monkeypatch.setenv("SECRETKIT_KEY_FILE", places["key"].removeprefix("file:"))
    monkeypatch.setenv("SECRETKIT_ORG", "acme")
    monkeypatch.setenv("SECRETKIT_PROJECT", "etl")
    monkeypatch.setenv("SECRETKIT_DOMAIN", "production")
    monkeypatch.setenv("SECRETKIT_ACTOR", "env@test")
    secretkit.configure()
    assert read() == "acme/etl/production"
    assert secretkit.open().scope == "acme/etl/production"
    assert secretkit.open().put("token", "acme/etl/production").updated_by == "env@test"
    # A scope is taken as a whole, but for its org.
    secretkit.configure(project="etl")
    assert read() == "acme/etl"
    secretkit.configure(org="other")
    assert read() == "other"
    assert secretkit.open(domain="production").scope == "acme/*/production"


def test_a_context_lies_over_them(scoped: Secrets, places: Places) -> None:
    secretkit.configure(**places, org="acme", project="etl")
    with secretkit.context(project="etl", domain="production"):
        assert read() == "acme/etl/production"
        with secretkit.context(org="other"):
            assert read() == "other"
        with secretkit.context(env_prefix="X_"):
            assert read() == "acme/etl/production"
        with secretkit.context(domain="production"):
            assert read() == "acme/*/production"
        with pytest.raises(KeyError), secretkit.context(org="nobody"):
            raise KeyError
        assert read() == "acme/etl/production"
    assert read() == "acme/etl"


def test_a_context_may_bring_a_store(scoped: Secrets, places: Places) -> None:
    with secretkit.context(secrets=Secrets.in_memory({"token": "in memory"})):
        assert read() == "in memory"
    with secretkit.context(store=places["store"], key=places["key"], org="acme"):
        assert read() == "acme"
    with secretkit.context(secrets=scoped, org="acme", domain="production"):
        assert read() == "acme/*/production"


def test_a_context_may_say_who_and_how_of_the_same_store(scoped: Secrets, places: Places) -> None:
    secretkit.configure(**places, org="acme", project="etl", keep=0)
    with secretkit.context(actor="somebody@else"):
        assert read() == "acme/etl"
        made = _settings.secrets().put("token", "acme/etl")
        assert (made.updated_by, made.first_revision) == ("somebody@else", made.revision)
        with secretkit.context(keep=5, domain="production"):
            assert read() == "acme/*/production"
            made = _settings.secrets().put("acme/etl:token", "acme/etl")
            assert (made.updated_by, made.first_revision) == ("somebody@else", made.revision - 1)
    with secretkit.context(secrets=scoped), pytest.raises(Usage, match="open already"), secretkit.context(keep=1):
        pytest.fail("it must not be entered")


def test_a_context_within_a_task_holds_for_the_tasks_it_calls(scoped: Secrets) -> None:
    @task(secret_requests=[Secret(key="token")])
    def outer() -> tuple[str, str]:
        with secretkit.context(org="other"):
            return read(), current_context().secrets.get("token")

    with secretkit.context(org="acme"):
        assert outer() == ("other", "acme")


def test_memory_secrets_hide_everything_else(scoped: Secrets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRETKIT_ORG", "acme")
    before = sorted(path for path in Path.cwd().iterdir())
    with memory_secrets({"token": "t", "acme/etl:token": "acme's etl", "g/k": "v"}) as secrets:
        assert read() == "t"
        assert sorted(info.address for info in secrets.list()) == ["default:g/k", "default:token"]
        assert [info.address for info in secrets.list("acme/etl")] == ["acme/etl:token"]
        with secretkit.context(org="acme", project="etl"):
            assert read() == "acme's etl"
        with memory_secrets({}):
            with pytest.raises(NotFound):
                read()
        assert read() == "t"
    with memory_secrets({"token": "everywhere", "acme/etl/production:token": "here"}, org="acme", project="etl"):
        assert read() == "everywhere"
        with secretkit.context(project="etl", domain="production"):
            assert read() == "here"
    assert sorted(path for path in Path.cwd().iterdir()) == before
    assert os.listdir(os.environ["HOME"]) == []


def test_contradictions_are_refused(scoped: Secrets) -> None:
    with pytest.raises(Usage, match="key or key_file"):
        secretkit.configure(key="file:a", key_file="a")
    with pytest.raises(Usage, match="open already"), secretkit.context(secrets=scoped, store="memory:"):
        pytest.fail("it must not be entered")
    for kind in ("store", "key", "org", "project", "domain", "actor", "env_prefix"):
        with pytest.raises(TypeError):
            secretkit.configure(**{"store": "memory:", kind: 5})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "nonsense",
    [
        {"store": "redis://a"},
        {"key": "a"},
        {"actor": ""},
        {"anchor": ""},
        {"previous_keys": ["a"]},
        {"org_keys": {"a b": "file:a"}},
        {"keep": -1},
        {"cache": "5"},
        {"cache_stale": "5min"},
        {"project": "a b"},
        {"domain": "a b"},
        {"env_prefix": "a b"},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_said_where_it_is_said(scoped: Secrets, nonsense: dict[str, object]) -> None:
    secretkit.configure(store="memory:")
    with pytest.raises(SecretError):
        secretkit.configure(**nonsense)  # type: ignore[arg-type]
    if nonsense != {"cache_stale": "5min"}:
        with pytest.raises(SecretError), secretkit.context(**nonsense):  # type: ignore[arg-type]
            pytest.fail("it must not be entered")
    assert current_context().secrets is not None and _settings.secrets().list() == [], "what was said before holds"


def test_only_secrets_are_secrets() -> None:
    with pytest.raises(TypeError, match="secretkit.Secrets, not 'int'"):
        with secretkit.context(secrets=5):  # type: ignore[arg-type]
            pytest.fail("it must not be entered")


def test_no_frame_of_an_error_shows_a_url() -> None:
    """A URL may hold a password, and what `exec:` runs a token; reporters show the local variables of frames."""
    urls = {"store": "postgres://app:hunter2@127.0.0.1:1/app", "org_keys": {"acme": "exec:unlock hunter2"}}
    contradictions = (
        {"key": "exec:unlock hunter2", "key_file": "a"},
        {"key": "exec:unlock hunter2", "previous_keys": "exec:unlock hunter2"},
        {"previous_keys": 5},
        {"org_keys": 5},
        {"mount_base": 5},
        {"org": 5},
    )
    for contradiction in contradictions:
        for enter in (_open, _configure, _context):
            with pytest.raises((Usage, TypeError, SecretError)) as raised:
                enter({**urls, **contradiction})
            for text in shown(raised.value):
                assert found_in(text, VALUES) is None, f"{contradiction}, {enter.__name__}: {text}"
            secretkit.configure()


def _open(arguments: dict[str, object]) -> None:
    arguments.pop("mount_base", None)
    secretkit.open(**arguments)  # type: ignore[arg-type]


def _configure(arguments: dict[str, object]) -> None:
    secretkit.configure(**arguments)  # type: ignore[arg-type]
    read()


def _context(arguments: dict[str, object]) -> None:
    with secretkit.context(**arguments):  # type: ignore[arg-type]
        read()


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
@pytest.mark.parametrize("kind", ["org", "project", "domain"])
def test_scopes_refuse_hostile_names(kind: str, name: str) -> None:
    with memory_secrets({"token": "t"}), pytest.raises(SecretError) as raised:
        with secretkit.context(**{kind: name}):  # type: ignore[arg-type]
            pytest.fail("it must not be entered")
    assert isinstance(raised.value, ValueError)
    with pytest.raises(SecretError):
        secretkit.open("memory:", **{kind: name})  # type: ignore[arg-type]
