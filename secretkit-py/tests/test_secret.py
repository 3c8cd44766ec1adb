"""`Secret`: what a task asks for."""

import copy
import pickle

import pytest

from hostile import NAMES
from secretkit import Secret, SecretError
from secretkit.exceptions import InvalidName, InvalidRequest, InvalidVariable


def test_has_flytekits_fields_in_flytekits_order() -> None:
    secret = Secret("group", "key", "3", Secret.MountType.FILE, "VARIABLE")
    assert (secret.group, secret.key, secret.group_version) == ("group", "key", "3")
    assert (secret.mount_requirement, secret.env_var) == (Secret.MountType.FILE, "VARIABLE")
    assert [(mount.name, mount.value) for mount in Secret.MountType] == [("ANY", 0), ("ENV_VAR", 1), ("FILE", 2)]
    bare = Secret(key="key")
    assert (bare.group, bare.group_version, bare.env_var) == (None, None, None)
    assert bare.mount_requirement is Secret.MountType.ANY


def test_is_a_value() -> None:
    secret = Secret(group="group", key="key", mount_requirement=Secret.MountType.FILE)
    same = Secret("group", "key", None, Secret.MountType.FILE)
    assert secret == same and hash(secret) == hash(same) and len({secret, same}) == 1
    assert secret != Secret(group="group", key="other") and secret != "group/key"
    assert pickle.loads(pickle.dumps(secret)) == copy.deepcopy(secret) == secret
    assert repr(secret) == (
        "Secret(group='group', key='key', group_version=None, mount_requirement=<MountType.FILE: 2>, env_var=None)"
    )


def test_cannot_be_changed() -> None:
    secret = Secret(key="key")
    with pytest.raises(AttributeError):
        secret.key = "other"
    with pytest.raises(AttributeError):
        del secret.key
    with pytest.raises(AttributeError):
        secret.another = 1


def test_matches_as_a_pattern() -> None:
    match Secret("group", "key"):
        case Secret(group, key):
            assert (group, key) == ("group", "key")
        case _:
            pytest.fail("it does not match")


def test_names_a_secret() -> None:
    with pytest.raises(InvalidRequest, match="names no secret"):
        Secret()


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
@pytest.mark.parametrize("field", ["group", "key"])
def test_refuses_hostile_names_and_does_not_repeat_them(field: str, name: str) -> None:
    given = {"group": "group", "key": "key", field: name}
    with pytest.raises(SecretError) as raised:
        Secret(**given)  # type: ignore[arg-type]
    assert isinstance(raised.value, (InvalidName, ValueError))
    if len(name) > 3:
        assert name not in str(raised.value)


def test_a_group_in_the_key_is_told_how_it_is_written() -> None:
    for arguments in ({"key": "db/password"}, {"group": "db/password"}, {"group": "a", "key": "db/password"}):
        with pytest.raises(InvalidName, match='group="GROUP", key="KEY" for GROUP/KEY') as raised:
            Secret(**arguments)  # type: ignore[arg-type]
        assert "password" not in str(raised.value)


@pytest.mark.parametrize(
    "version", [0, -1, 1.0, True, "0", "01", "+1", "1 ", " 1", "1\n", "v1", "", "١", 2**63, "9" * 30]
)
def test_group_version_is_the_number_of_a_revision(version: object) -> None:
    with pytest.raises(InvalidRequest, match="group_version"):
        Secret(key="key", group_version=version)  # type: ignore[arg-type]
    assert Secret(key="key", group_version=7) != Secret(key="key", group_version="7")


@pytest.mark.parametrize("name", ["", "A\n", "1A", "A-B", "A B", "A=B", "A\0", "Ä", "\ud800", "A" * 513])
def test_env_var_is_a_name_of_a_variable(name: str) -> None:
    with pytest.raises(InvalidVariable):
        Secret(key="key", env_var=name)


def test_wrong_types_are_named_without_their_value() -> None:
    for arguments in ({"key": 5}, {"group": b"g"}, {"key": "k", "env_var": 5}):
        with pytest.raises(TypeError):
            Secret(**arguments)
    for mount in (2, "FILE", None):
        with pytest.raises(InvalidRequest, match="mount_requirement"):
            Secret(key="key", mount_requirement=mount)  # type: ignore[arg-type]
