"""flytekit's SecretsManager with the secret in a plain environment variable."""

import os
import pathlib
import sys
from time import perf_counter_ns

from flytekit import current_context

sys.path.append(str(pathlib.Path(__file__).parents[2] / "python"))
from worker import serve

GROUP, NAME = "db", "key4-0000500"
os.environ["_FSEC_DB_KEY4-0000500"] = "0000050000000500000005000000050"


def get(times):
    current_context().secrets.get(GROUP, NAME)
    start = perf_counter_ns()
    for _ in range(times):
        current_context().secrets.get(GROUP, NAME)
    return perf_counter_ns() - start


serve({"get": get})
