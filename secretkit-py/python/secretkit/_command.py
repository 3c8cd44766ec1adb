"""The console script `secretkit`: the same command line as the Rust binary, which also runs tasks."""

import signal
import sys

from secretkit._secretkit import keep_out_of_dumps
from secretkit._secretkit import main as run


def main() -> int:
    # Here and not in what it calls: that may run in the process of a host, to whom it is left.
    keep_out_of_dumps()
    # Python would keep Ctrl-C for its own code, of which none runs until there is a task: the command has to stop at
    # once. Where the interrupt is ignored on purpose, as under nohup, it stays ignored.
    interrupts = signal.getsignal(signal.SIGINT)
    if interrupts is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    ended = run(["secretkit", *sys.argv[1:]])
    if isinstance(ended, int):
        return ended
    signal.signal(signal.SIGINT, interrupts)
    from secretkit._run_task import run_task

    return run_task(ended)
