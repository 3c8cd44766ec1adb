"""What the tutorials show is what happens: each is played from its first line to its last, by a person at a terminal.

A line behind `$` is typed, and what is below it is what the terminal then shows. A value that is typed at a prompt is the
one that the text before names, as in: type `hunter2`. A block behind a line that ends with a file's name is that file.
`UPDATE_TUTORIALS=1` writes down what happened in place of what was expected.
"""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ["tutorial-operator.md", "tutorial-tasks.md", "tutorial-tests.md"]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
PATIENCE = 60
COLUMNS = 100

# What differs from day to day and from store to store, and what stands for it.
CHANGING = {
    r"[A-Za-z0-9+/]{43}=": "#" * 44,
    r"[A-Za-z0-9+/]{16,43}…": "a digest…",
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z": "####-##-##T##:##:##Z",
    r"\d{4}-\d\d-\d\d": "####-##-##",
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}": "a UUID",
    r"\bin \d+ days": "in # days",
    r"last used [a-z0-9 ]+ ago": "last used # ago",
    r"\bin \d+\.\d+s": "in #s",
    r" +\[100%\]": " [100%]",
}


class Reader:
    """Somebody who follows a page in an empty folder of a new home."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        self.environment = kept | {
            "HOME": str(folder),
            "PATH": path,
            "TERM": "dumb",
            "NO_COLOR": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "SECRETKIT_ACTOR": "ada@laptop",
        }

    def follow(self, page: str) -> str:
        """Does what the page says, and returns it with what was seen."""
        written, end = [], 0
        for block in BLOCK.finditer(page):
            said = page[end : block.start()]
            written += [said, f"```{block[1]}\n"]
            written += self.session(block[2], said) if block[1] == "console" else [self.file(block[2], said)]
            written.append("```")
            end = block.end()
        return "".join([*written, page[end:]])

    def file(self, text: str, said: str) -> str:
        if named := re.search(r"`([\w.-]+)`:\n\n$", said):
            self.folder.joinpath(named[1]).write_text(text, encoding="utf-8")
        return text

    def session(self, text: str, said: str) -> Iterator[str]:
        typed = iter(re.findall(r"\btype `([^`]+)`", said))
        for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, flags=re.MULTILINE):
            answers = re.findall(r"\[y/N\] (\w+)", expected)
            yield f"$ {command}\n{self.run(command, typed, answers)}" + ("\n" if expected.endswith("\n\n") else "")
        assert not list(typed), "a value was named and not asked for"

    def run(self, command: str, typed: Iterator[str], answers: list[str]) -> str:
        """Types the command and answers its questions; what the terminal shows."""
        if command.startswith("export "):
            printed = subprocess.check_output(["sh", "-c", f"{command}; env -0"], env=self.environment, cwd=self.folder)
            self.environment = dict(line.split("=", 1) for line in printed.decode().split("\0")[:-1])
            return ""
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(self.folder)
            os.execve("/bin/sh", ["sh", "-c", command], self.environment)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
        seen, asked = "", 0
        while select.select([terminal], [], [], PATIENCE)[0]:
            try:
                data = os.read(terminal, 4096)
            except OSError:  # Linux reports the end of a terminal as an error.
                data = b""
            if not data:
                break
            seen += data.decode()
            questions = re.findall(r"Enter secret value: |\[y/N\] ", seen)
            for question in questions[asked:]:
                # Where the page shows no answer yet, it is being written.
                answer = next(typed) if question.startswith("Enter") else (answers or ["y"]).pop(0)
                os.write(terminal, answer.encode() + b"\n")
            asked = len(questions)
        else:
            pytest.fail(f"{command} did not end; the terminal shows {seen}")
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.close(terminal)
        seen = seen.replace("\r\n", "\n").replace(str(self.folder), "/home/ada")
        assert (code != 0) == ("error: " in seen), f"{command} ended with {code}: {seen}"
        lines = [line.rstrip() for line in seen.split("\n")]
        return "\n".join(lines).rstrip("\n") + ("\n" if seen.strip() else "")


def comparable(text: str) -> str:
    for pattern, stands in CHANGING.items():
        text = re.sub(pattern, stands, text)
    return text


@pytest.mark.parametrize("name", PAGES)
def test_a_tutorial_shows_what_happens(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "ada"
    folder.mkdir()
    page = (DOCS / name).read_text(encoding="utf-8")
    assert page.count("\n$ ") > 3
    happened = Reader(folder).follow(page)
    if "UPDATE_TUTORIALS" in os.environ:
        (DOCS / name).write_text(happened, encoding="utf-8")
    assert comparable(happened) == comparable(page)
