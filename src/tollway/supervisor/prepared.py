"""What the process that prepares the database tells the supervisor. See `tollway.jobs.prepare`."""

import msgspec

from tollway.services.first_keys import FirstKeys

LOCAL_BASE_URL_VARIABLE = "LOCAL_MODEL_BASE_URL"
LOCAL_NAME_VARIABLE = "LOCAL_MODEL_NAME"
LOCAL_KEY_VARIABLE = "LOCAL_MODEL_KEY"


class Prepared(msgspec.Struct, frozen=True):
    """The database is ready.

    Attributes:
        keys: the first keys, at the first start only.
        providers: names of the providers that the environment brought.
        model: ``provider/model`` of the demo model, if it is offered.
    """

    keys: FirstKeys | None = None
    providers: tuple[str, ...] = ()
    model: str | None = None


class Report(msgspec.Struct, frozen=True):
    """Either the database is prepared, or `failure` tells the operator why not."""

    prepared: Prepared | None = None
    failure: str = ""
