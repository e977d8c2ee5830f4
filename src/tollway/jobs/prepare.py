"""The process that prepares the database for a start: ``python -m tollway.jobs.prepare``.

Migrates, fills an empty database, registers the providers of this machine. It ends when that is done, so that the
supervisor, which lives for ever, need not carry what only this needs; and it runs while the workers load their code.
"""

import asyncio
import os
import sys

import msgspec

from tollway.config import Settings, load_settings
from tollway.errors import TollwayError
from tollway.factory.context import ProcessContext
from tollway.factory.jobs import JobFactory
from tollway.providers.registry import LOCAL
from tollway.services.migrate import migrate
from tollway.services.secret_keys import SecretKeysError
from tollway.supervisor.gate import wait_for_start
from tollway.supervisor.prepared import (
    LOCAL_BASE_URL_VARIABLE,
    LOCAL_KEY_VARIABLE,
    LOCAL_NAME_VARIABLE,
    Prepared,
    Report,
)
from tollway.supervisor.readiness import announce
from tollway.telemetry.logs import configure_logs


async def prepare(settings: Settings) -> Prepared:
    """Bring the database of the settings to where workers can use it. Idempotent.

    Raises:
        TollwayError: the database cannot be used, or has a newer schema.
        SecretKeysError: the secret keys cannot be used.
    """
    storage = settings.storage
    owner_url = storage.migration_database_url or storage.database_url
    if owner_url is not None:
        await asyncio.to_thread(migrate, owner_url.get_secret_value())
    context = ProcessContext.create(settings)
    factory = JobFactory(context)
    try:
        _, keys = await asyncio.gather(
            factory.price_book_load.base(),  # built once here, read by every worker
            factory.first_start().ensure(settings.server.url),
        )
        machine = factory.machine_providers()
        providers = await machine.register(os.environ)
        model = os.environ.get(LOCAL_NAME_VARIABLE)
        if model:
            await machine.register_local(
                base_url=os.environ[LOCAL_BASE_URL_VARIABLE], api_key=os.environ[LOCAL_KEY_VARIABLE], model=model
            )
        return Prepared(keys, providers, f"{LOCAL.name}/{model}" if model else None)
    finally:
        await context.aclose()


def main() -> None:
    """Prepare with the settings of the environment, and report to the supervisor."""
    wait_for_start()
    settings = load_settings()
    configure_logs(settings.logs)
    try:
        report = Report(prepared=asyncio.run(prepare(settings)))
    except TollwayError as error:
        report = Report(failure=error.text)
    except SecretKeysError as error:
        report = Report(failure=str(error))
    announce(msgspec.json.encode(report))
    sys.exit(0 if report.prepared else 1)


if __name__ == "__main__":
    main()
