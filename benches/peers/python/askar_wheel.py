"""The Askar wheel: fetches one of 1,000 entries from SQLite in a session that is held."""

import asyncio
import pathlib
import sys
import tempfile
from time import perf_counter_ns

from aries_askar import Store

sys.path.append(str(pathlib.Path(__file__).parents[2] / "python"))
from worker import serve

COUNT = 1_000


async def filled(folder):
    store = await Store.provision(f"sqlite://{folder}/askar.db", "raw", Store.generate_raw_key(), recreate=True)
    async with store.transaction() as filling:
        for number in range(COUNT):
            await filling.insert("secret", name(number), b"7" * 32)
        await filling.commit()
    return await store.session()


async def timed(session, times):
    start = perf_counter_ns()
    for number in range(times):
        entry = await session.fetch("secret", name(number * 619 % COUNT))
        assert len(entry.value) == 32
    return perf_counter_ns() - start


def name(number):
    return f"acme/etl/production/db/key{number:07}"


with tempfile.TemporaryDirectory() as folder:
    loop = asyncio.new_event_loop()
    held = loop.run_until_complete(filled(folder))
    serve({"fetch": lambda times: loop.run_until_complete(timed(held, times))})
