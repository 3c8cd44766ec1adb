"""The code of the guides that people come from runs as it stands there, but for the line that imports it."""

import pytest

import secretkit
from secretkit import Secret
from secretkit.testing import memory_secrets

FLYTEKIT = "from flytekit import Secret, current_context, task, workflow"
UNION = "import {{< key kit_import >}}"

BLOCKS = {
    "flytekit, a value": """
from flytekit import Secret, current_context, task, workflow

@task(secret_requests=[Secret(key="my_secret")])
def t1():
    secret_value = current_context().secrets.get(key="my_secret")
    # do something with the secret. For example, communication with an external API.
    ...
""",
    "flytekit, a file": """
from flytekit import Secret, current_context, task, workflow

@task(
    secret_requests=[
        Secret(key="my_file_secret", mount_requirement=Secret.MountType.FILE),
    ]
)
def t1():
    path_to_secret_file = current_context().secrets.get_secrets_file("my_file_secret")
    with open(path_to_secret_file, "r") as f:
        secret_value = f.read()
    # do something with the secret. For example, communication with an external API.
    ...
""",
    "union, a value": """
import {{< key kit_import >}}

@{{< key kit_as >}}.task(secret_requests=[union.Secret(key="my_secret")])
def t1():
    secret_value = union.current_context().secrets.get(key="my_secret")
    # do something with the secret. For example, communication with an external API.
    ...
""",
    "union, a variable": """
import {{< key kit_import >}}

@{{< key kit_as >}}.task(secret_requests=[union.Secret(key="my_union_api_key", env_var="{{< key env_prefix >}}_API_KEY")])
def t1():
    # Authenticates the remote with {{< key env_prefix >}}_API_KEY
    remote = union.{{< key kit_remote >}}(default_project="{{< key default_project >}}", default_domain="development")
""",
    "union, a file": """
import {{< key kit_import >}}

@{{< key kit_as >}}.task(
    secret_requests=[
        {{< key kit_as >}}.Secret(key="my_file_secret", mount_requirement={{< key kit_as >}}.Secret.MountType.FILE),
    ]
)
def t1():
    path_to_secret_file = union.current_context().secrets.get_secrets_file("my_file_secret")
    with open(path_to_secret_file, "r") as f:
        secret_value = f.read()
    # do something with the secret. For example, communication with an external API.
    ...
""",
}

# What the guide's own variables stand for in the edition that it was taken from.
VARIABLES = {
    "{{< key kit_as >}}": "union",
    "{{< key kit_remote >}}": "UnionRemote",
    "{{< key env_prefix >}}": "UNION",
    "{{< key default_project >}}": "default",
}


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS.keys())
def test_runs_verbatim_after_the_import_line(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = block.strip().split("\n")
    replacement = {FLYTEKIT: FLYTEKIT.replace("flytekit", "secretkit"), UNION: "import secretkit as union"}
    lines[0] = replacement[lines[0]]
    code = "\n".join(lines)
    for variable, text in VARIABLES.items():
        code = code.replace(variable, text)
    assert "{{" not in code

    # The one name of the guide that is no matter of secrets: what it connects to. It reads the variable, as theirs.
    connected = []

    def remote(default_project: str, default_domain: str) -> None:
        import os

        connected.append((default_project, default_domain, os.environ["UNION_API_KEY"]))

    monkeypatch.setattr(secretkit, "UnionRemote", remote, raising=False)
    seen = {}
    program: dict[str, object] = {"__name__": "using_secrets"}
    exec(compile(code.replace("    ...\n", "") + "\n    return locals()\n", "using_secrets.py", "exec"), program)
    values = {"my_secret": "value", "my_file_secret": "from a file\n", "my_union_api_key": "k3y"}
    with memory_secrets(values):
        seen = program["t1"]()  # type: ignore[operator]
    if "remote" in seen:
        assert connected == [("default", "development", "k3y")]
    else:
        assert seen["secret_value"] in ("value", "from a file\n")


def test_the_names_are_those_of_the_guide() -> None:
    for name in ("Secret", "current_context", "task", "workflow"):
        assert name in secretkit.__all__
    assert Secret.MountType.FILE.value == 2
