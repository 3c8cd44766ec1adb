"""Templates: what a task at the scope would get, put where a template names it."""

from __future__ import annotations

import sys
import threading

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


@pytest.mark.parametrize("dry_run", [True, False])
def test_other_threads_go_on_while_a_template_is_understood(secrets: secretkit.Secrets, dry_run: bool) -> None:
    template = "{{ secret.token }}" + "{# nothing #}\n" * 70_000
    steps, over = 0, threading.Event()

    def step() -> None:
        nonlocal steps
        while not over.wait(0.0001):
            steps += 1

    interval = sys.getswitchinterval()
    other = threading.Thread(target=step)
    try:
        # Nobody takes the interpreter from whoever does not let go of it.
        sys.setswitchinterval(60)
        other.start()
        before = steps
        secrets.render(template, dry_run=dry_run)
        during = steps - before
    finally:
        sys.setswitchinterval(interval)
        over.set()
        other.join()
    assert during > 5


@pytest.mark.parametrize("template", ["{{ canary", "{{ canary }}", "{{ secret.token | canary }}", "{{ secret }}", "\ud800"])
def test_a_template_is_not_quoted(secrets: secretkit.Secrets, template: str) -> None:
    with pytest.raises(InvalidTemplate) as raised:
        secrets.render(template)
    assert "canary" not in str(raised.value)
