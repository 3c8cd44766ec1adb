"""The console script `secretkit`: the same command line as the Rust binary."""

import signal
import sys

from secretkit._secretkit import main as run


def main() -> int:
    # Python turns Ctrl-C into an exception that only Python code sees; the command is none, and must stop at once.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return run(sys.argv)
