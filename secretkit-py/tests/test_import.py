"""`import secretkit` is cheap, and does nothing but define names."""

import json
import subprocess
import sys


def test_imports_no_slow_module() -> None:
    code = "import sys, json; before = set(sys.modules); import secretkit; print(json.dumps(sorted(set(sys.modules) - before)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = json.loads(done.stdout)
    assert "secretkit._secretkit" in imported
    slow = {
        "asyncio",
        "dataclasses",
        "datetime",
        "inspect",
        "json",
        "logging",
        "re",
        "socket",
        "ssl",
        "subprocess",
        "typing",
    }
    assert not slow & set(imported)


def test_a_star_import_replaces_nothing_of_pythons() -> None:
    import builtins

    import secretkit

    assert not set(secretkit.__all__) & set(dir(builtins))
    assert all(hasattr(secretkit, name) for name in secretkit.__all__)


def test_it_says_which_version_it_is() -> None:
    from importlib.metadata import version

    import secretkit

    assert secretkit.__version__ == version("secretkit")
