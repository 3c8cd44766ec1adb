"""Templates: what a task at the scope would get, put where a template names it."""

from __future__ import annotations

import pytest

import secretkit
from secretkit.exceptions import Inactive, InvalidTemplate, NotFound


@pytest.fixture
def secrets() -> secretkit.Secrets:
    return secretkit.Secrets.in_memory({"token": "t0k3n", "db/password": "h'\"\n$"}, org="acme", project="etl")


def test_both_syntaxes_and_groups(secrets: secretkit.Secrets) -> None:
    template = "a={{ secret.token }} b={{ .secret.token }} c={{ secret.db.password }}\n"
    assert secrets.render(template) == "a=t0k3n b=t0k3n c=h'\"\n$\n"
    assert secrets.render("nothing") == "nothing"


def test_a_dry_run_opens_nothing(secrets: secretkit.Secrets) -> None:
    assert secrets.render("{{ secret.never }}", dry_run=True) == "<SECRET:never>"


def test_all_missing_are_named(secrets: secretkit.Secrets) -> None:
    with pytest.raises(NotFound, match="one .*; two "):
        secrets.render("{{ secret.one }}{{ secret.token }}{{ secret.two }}")
    secrets.edit("acme:token", active=False)
    with pytest.raises(Inactive):
        secrets.render("{{ secret.token }}")


@pytest.mark.parametrize("template", ["{{ canary", "{{ canary }}", "{{ secret.token | canary }}", "{{ secret }}", "\ud800"])
def test_a_template_is_not_quoted(secrets: secretkit.Secrets, template: str) -> None:
    with pytest.raises(InvalidTemplate) as raised:
        secrets.render(template)
    assert "canary" not in str(raised.value)
