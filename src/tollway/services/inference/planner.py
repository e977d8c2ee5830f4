"""Plan a request, or say how one would be planned. No I/O: everything is in memory."""

from tollway.routing.explain import Explanation, Question
from tollway.services.live_catalog import LiveCatalog


class Planner:
    """Plans the requests of one worker; `Factory.planner` in a worker, ``None`` elsewhere."""

    def __init__(self, live: LiveCatalog) -> None:
        self._live = live

    def explain(self, question: Question) -> Explanation:
        """Which attempts a request would lead to, and why.

        Raises:
            ModelNotFoundError, ModelNotAllowedError, ProviderSealedError: see `tollway.routing.resolve`.
            NotReadyError: this worker has not read its configuration yet.
        """
        raise NotImplementedError
