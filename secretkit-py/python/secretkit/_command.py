"""The console script `secretkit`: the same command line as the Rust binary."""

import signal
import sys

from secretkit._secretkit import main as run


def main() -> int:
    # Python would keep Ctrl-C for its own code, of which none runs from here on: the command has to stop at once.
    # Where the interrupt is ignored on purpose, as under nohup, it stays ignored.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    return run(["secretkit", *sys.argv[1:]])
