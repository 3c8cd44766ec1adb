"""Makes a virtual environment and installs the pinned requirements into it.

Some systems ship Python without `ensurepip`; there the system's own pip installs into the new environment.
"""

import pathlib
import subprocess
import sys
import venv


def main(directory: str, requirements: str) -> None:
    if sys.version_info < (3, 10):
        sys.exit(f"secretkit needs Python 3.10 or newer, and this is {sys.version.split()[0]}; say PYTHON=python3.12")
    python = str(pathlib.Path(directory) / "bin" / "python")
    try:
        venv.create(directory, clear=True, with_pip=True)
        pip = [python, "-m", "pip"]
    except (subprocess.CalledProcessError, ImportError):
        venv.create(directory, clear=True, with_pip=False)
        pip = [sys.executable, "-m", "pip", "--python", python]
        if subprocess.run([*pip, "--version"], capture_output=True).returncode:
            sys.exit("Python has neither ensurepip nor pip here; install python3-venv or python3-pip")
        # What installs the package itself later looks for pip inside.
        subprocess.run([*pip, "install", "--quiet", "--disable-pip-version-check", "pip"], check=True)
    subprocess.run([*pip, "install", "--quiet", "--disable-pip-version-check", "-r", requirements], check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
