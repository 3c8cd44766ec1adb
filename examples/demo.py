"""The walk-through of a user's first hour, with nothing faked: secrets are typed at a real terminal, read from a file and
from standard input, at four scopes; used by tasks and by a program; updated, found, rolled back; deleted. The store is temporary and goes at the end.

    make demo
"""

import os
import pathlib
import pty
import select
import shlex
import shutil
import subprocess
import sys
import tempfile

EXAMPLES = pathlib.Path(__file__).parent / "python"
BIN = pathlib.Path(sys.executable).parent
COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ
PATIENCE = 30


def say(text):
    print(f"\n\033[1m{text}\033[0m" if COLOUR else f"\n# {text}", flush=True)


def show(command):
    print(f"$ {command}", flush=True)


def run(command, stdin=None, expected=0):
    """Types one command, shows what it prints, and stops the demo where it does not end as it should."""
    show(command + (f" < {pathlib.Path(stdin.name).name}" if stdin else ""))
    ended = subprocess.run(shlex.split(command), stdin=stdin or subprocess.DEVNULL).returncode
    if ended != expected:
        sys.exit(f"demo: `{command}` ended with {ended}, and {expected} was expected")


def type_at_prompt(command, typed):
    """Runs the command in a pseudo-terminal and types once it asks. What the terminal shows is what you see."""
    show(command)
    child, terminal = pty.fork()
    if child == 0:
        os.execvp("secretkit", shlex.split(command))
    seen = b""
    while True:
        if not select.select([terminal], [], [], PATIENCE)[0]:
            sys.exit(f"demo: `{command}` printed nothing for {PATIENCE} seconds")
        try:
            data = os.read(terminal, 4096)
        except OSError:  # Linux reports the end of a terminal as an error.
            data = b""
        if not data:
            break
        sys.stdout.write(data.decode().replace("\r\n", "\n"))
        sys.stdout.flush()
        asked = b"Enter secret value: "
        if asked not in seen and asked in seen + data:
            os.write(terminal, typed.encode() + b"\n")
        seen += data
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if ended or typed.encode() in seen:
        sys.exit(f"demo: `{command}` ended with {ended}" if ended else "demo: the terminal showed what was typed")


def main():
    with tempfile.TemporaryDirectory(prefix="secretkit-demo-") as home:
        home = pathlib.Path(home)
        # A home of its own, so that the defaults are used as a new user meets them.
        for name in [name for name in os.environ if name.startswith("SECRETKIT_")]:
            del os.environ[name]
        os.environ.update(
            HOME=str(home),
            XDG_DATA_HOME=str(home / "data"),
            XDG_CONFIG_HOME=str(home / "config"),
            XDG_RUNTIME_DIR=str(home / "run"),
            PATH=f"{BIN}{os.pathsep}{os.environ['PATH']}",
        )
        (home / "run").mkdir(mode=0o700)
        walk_through(home)


def walk_through(home):
    certificate, token = home / "cert.pem", home / "token"
    certificate.write_text("-----BEGIN CERTIFICATE-----\nMIIB...demo...\n-----END CERTIFICATE-----")
    token.write_text("t0ken-of-one-project")
    os.chdir(home)

    say("Create a secret for the whole organization. The value is asked for and not shown.")
    type_at_prompt("secretkit create my_secret", "hunter2-for-everyone")

    say("Create one from a file, for every project in one domain.")
    run("secretkit create my_file_secret -f cert.pem --domain development")

    say("Create one from standard input, for one project in every domain.")
    with token.open("rb") as stdin:
        run("secretkit create my_api_key -f - --project my_project", stdin=stdin)

    say("Create one for one project in one domain. It has the name of the first; a task takes the nearer one.")
    type_at_prompt("secretkit create my_secret --project my_project --domain development", "hunter2-nearby")

    say("List them: digests and no values. Then only those of exactly one scope.")
    run("secretkit list")
    run("secretkit list --project my_project --domain development")

    say("What already exists is not overwritten by accident.")
    exists = "secretkit create my_secret -f cert.pem"
    run(exists, expected=21)

    say("Use them in tasks that run in my_project/development: as a value, as a variable, as a file.")
    os.environ.update(SECRETKIT_PROJECT="my_project", SECRETKIT_DOMAIN="development")
    for example in ("using_secrets.py", "using_secrets_env.py", "using_secrets_file.py"):
        shutil.copy(EXAMPLES / example, home)
        run(f"python {example}")

    say("The file was there for as long as its task ran. This is where it was:")
    for directory in sorted((home / "run").iterdir()):
        left = [path.name for path in directory.iterdir() if path.name != "lock"]
        print(f"{directory.name}/ holds {len(left)} files", *left, flush=True)
        if left:
            sys.exit("demo: a secret file is left")

    for name in ("SECRETKIT_PROJECT", "SECRETKIT_DOMAIN"):
        del os.environ[name]

    say("Update one at the prompt. Its id stays, its revision counts on.")
    type_at_prompt("secretkit update my_secret --project my_project --domain development", "hunter3-nearby")
    run("secretkit show my_secret --project my_project --domain development")

    say("Say what it is and when it ends, and find it by that.")
    run("secretkit update my_secret --project my_project --domain development --tag demo --expires 20d")
    run("secretkit list --tag demo --expiring 30d")

    say("The new value does not work? See what it was, and go back.")
    run("secretkit history my_secret --project my_project --domain development")
    run("secretkit rollback my_secret --to 1 --project my_project --domain development")

    say("Give it to a program that knows nothing of all this.")
    run("secretkit run -e my_secret=TOKEN -p my_project --domain development -- sh -c 'echo it has ${#TOKEN} characters'")

    say("While somebody uses it, nobody can delete it.")
    run("secretkit use add my_secret nightly.jobs:report --project my_project --domain development")
    run("secretkit delete my_secret --project my_project --domain development --yes", expected=23)
    run("secretkit use remove my_secret nightly.jobs:report --project my_project --domain development")

    say("Delete it. The next wider one answers from now on.")
    run("secretkit delete my_secret --project my_project --domain development --yes")
    run("secretkit reveal my_secret --project my_project --domain development")
    print()

    say("Everything above is gone now: it was a store in a temporary directory.")


if __name__ == "__main__":
    main()
