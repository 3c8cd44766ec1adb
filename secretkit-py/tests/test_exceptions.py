"""The exceptions are the table of kinds."""

import pickle

import pytest

from secretkit import SecretError, exceptions
from secretkit._secretkit import error_kinds


def test_every_kind_has_a_class_of_its_name() -> None:
    assert set(exceptions.BY_KIND) == set(error_kinds())
    for kind, each in exceptions.BY_KIND.items():
        assert each.__name__ == "".join(word.capitalize() for word in kind.split("_"))
        assert issubclass(each, SecretError) and each.__doc__


@pytest.mark.parametrize("kind", error_kinds())
def test_every_class_holds_its_message_and_travels(kind: str) -> None:
    error = exceptions.BY_KIND[kind]("what happened")
    assert str(error) == "what happened" and error.kind == kind
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error) and str(again) == "what happened"


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("NotFound", LookupError),
        ("NotFound", ValueError),
        ("NotRequested", LookupError),
        ("NotRequested", ValueError),
        ("InvalidName", ValueError),
        ("InvalidEncoding", ValueError),
        ("InvalidRequest", ValueError),
        ("Denied", PermissionError),
        ("PermissionDenied", PermissionError),
        ("FileMissing", FileNotFoundError),
        ("FileIsDirectory", IsADirectoryError),
    ],
)
def test_is_also_what_python_raises_in_its_place(name: str, builtin: type[Exception]) -> None:
    assert issubclass(getattr(exceptions, name), builtin)
