"""Admit requests that ask no model: for what is kept of dialogues, and for files and batches at a provider.

They pass what every request passes before anything is done for it: authentication, the scope, a place of the worker,
and the limits of requests. They cost nothing, so budgets and limits of tokens do not apply, and the ledger has no
entry of them. A limit of one provider or model is of requests to models.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tollway.errors import TollwayError
from tollway.identity.principal import Scope
from tollway.ledger.entry import UsageSource
from tollway.ledger.rating import Charge
from tollway.providers.free import NO_USAGE
from tollway.services.authenticate import Authenticator, require_scope
from tollway.services.inference.holder import Holder
from tollway.services.inference.places import Places
from tollway.services.inference.quota_headers import tell_limits
from tollway.services.inference.visit import Visit

_NO_CHARGE = Charge(0, (), priced=True)


class Visits:
    """Admits them. One a worker."""

    def __init__(self, authenticator: Authenticator, places: Places, holder: Holder) -> None:
        self._authenticator = authenticator
        self._places = places
        self._holder = holder

    @asynccontextmanager
    async def admitted(self, key: bytes) -> AsyncIterator[Visit]:
        """Hold what one takes until it ends.

        Raises:
            AuthenticationError, PermissionDeniedError: nobody who may ask.
            OverloadedError, NotReadyError: see `Places`.
            TollwayError: as `Holder.hold_visit`. Whatever fails then tells of the limits in its headers.
        """
        principal = self._authenticator.cached(key) or await self._authenticator.authenticate(key)
        require_scope(principal, Scope.INFERENCE)
        visit = Visit(principal)
        with self._places:
            try:
                await self._holder.hold_visit(visit)
                yield visit
            except TollwayError as error:
                tell_limits(error, visit.claims)
                raise
            finally:
                if visit.claims is not None:
                    visit.claims.settle(NO_USAGE, _NO_CHARGE, UsageSource.NONE)  # nothing, if nothing was held
