"""The rows that run inside an interpreter: reading in a task, and entering one. Times only; ratios need the peers."""

import pathlib
import tempfile
import time

import secretkit
from secretkit import Secret, current_context, task


def least(call, calls=2_000, turns=25):
    """Microseconds for one call, in the turn that was disturbed least."""
    best = float("inf")
    for _ in range(turns):
        started = time.perf_counter()
        for _ in range(calls):
            call()
        best = min(best, (time.perf_counter() - started) / calls)
    return best * 1e6


def second_get():
    """`get` of a secret that this task has read before."""

    @task(secret_requests=[Secret(key="my_secret")])
    def measured():
        current_context().secrets.get(key="my_secret")
        return least(lambda: current_context().secrets.get(key="my_secret"), calls=20_000)

    return measured()


def enter_and_get():
    """A whole task that requests one secret and reads it."""

    @task(secret_requests=[Secret(key="my_secret")])
    def whole():
        current_context().secrets.get(key="my_secret")

    return least(whole)


def main():
    with tempfile.TemporaryDirectory() as directory:
        place = pathlib.Path(directory)
        secretkit.create_root_key(place / "root.key")
        secretkit.configure(store=f"sqlite:{place / 'secrets.db'}", key_file=place / "root.key")
        with_store = secretkit.open(f"sqlite:{place / 'secrets.db'}", key_file=place / "root.key")
        with_store.create("my_secret", "hunter2")
        for operation, measured in (("second get in a task", second_get()), ("enter a task + first get, SqliteStore", enter_and_get())):
            print(f"{operation:<42} {'(ratio against peers: make bench-peers)':<46} {measured:>6.2f} us")


if __name__ == "__main__":
    main()
