"""The process that brings the journals of all workers into the database: ``python -m tollway.jobs.drain``.

It also tells webhooks of events, and removes what counts no more. One for each data directory. On SIGTERM it drains
what is left and exits with 0; what the database could not take stays in the journal for the next start.
"""

import asyncio
import gc
import signal

from tollway.config import Settings, load_settings
from tollway.factory.context import ProcessContext
from tollway.factory.jobs import JobFactory
from tollway.supervisor.gate import wait_for_start
from tollway.supervisor.readiness import announce_ready
from tollway.telemetry.logs import configure_logs

_GC_ALLOCATIONS = 50_000
"""A batch makes tens of thousands of objects that live until it is stored; no cycles are among them."""
_WEBHOOK_INTERVAL_S = 1.0
"""How often the outbox is looked at."""
_PURGE_INTERVAL_S = 300.0


async def _main(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    context = ProcessContext.create(settings)
    factory = JobFactory(context)
    drain = factory.drain()
    try:
        announce_ready()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(factory.purge().run(stop, interval_s=_PURGE_INTERVAL_S))
            tasks.create_task(factory.webhook_send().run(stop, interval_s=_WEBHOOK_INTERVAL_S))
            tasks.create_task(drain.run(stop, interval_s=settings.storage.drain_interval_ms / 1_000))
    finally:
        drain.close()
        await context.aclose()


def main() -> None:
    """Drain with the settings of the environment."""
    wait_for_start()
    settings = load_settings()
    configure_logs(settings.logs)
    gc.set_threshold(_GC_ALLOCATIONS)
    asyncio.run(_main(settings))


if __name__ == "__main__":
    main()
