"""Why Tollway could not be started. The messages are for the operator and say what to do."""


class StartError(RuntimeError):
    """`tollway serve` cannot go on; the message is shown as it is."""


class EmbeddedPostgresError(StartError):
    """The embedded PostgreSQL cannot be used."""


class AlreadyRunningError(StartError):
    """Another supervisor serves this data directory; the message says which."""


class ChildFailedError(StartError):
    """A child did not become ready at its first start. The message holds its last words."""
