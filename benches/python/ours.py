"""What a task pays for its secrets in secretkit."""

import sys
from time import perf_counter_ns

import secretkit
from secretkit import Secret, current_context, task
from worker import serve

STORE, KEY = sys.argv[1:]
secretkit.configure(store=f"sqlite:{STORE}", key_file=KEY, org="acme", project="etl", domain="production")

GROUP, NAME = "db", "key4-0000500"
REQUESTS = [Secret(group=GROUP, key=NAME)]


@task(secret_requests=REQUESTS)
def second_get(times):
    current_context().secrets.get(GROUP, NAME)
    start = perf_counter_ns()
    for _ in range(times):
        current_context().secrets.get(GROUP, NAME)
    return perf_counter_ns() - start


@task(secret_requests=REQUESTS)
def read_once():
    return len(current_context().secrets.get(GROUP, NAME))


def enter_and_get(times):
    start = perf_counter_ns()
    for _ in range(times):
        read_once()
    return perf_counter_ns() - start


serve({"second-get": second_get, "enter-and-get": enter_and_get})
