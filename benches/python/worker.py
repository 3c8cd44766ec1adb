"""How a worker talks: it says `ready`, then answers each line `OPERATION TIMES` with the nanoseconds that it took."""

import sys


def serve(operations):
    """Answers until nobody asks any more. Each operation takes how often to run, and returns the nanoseconds."""
    print("ready", flush=True)
    for line in sys.stdin:
        operation, times = line.split()
        print(operations[operation](int(times)), flush=True)
