"""The state of a request that asks no model, and so has no exchange with one."""

import math

from tollway.identity.principal import Principal
from tollway.ledger.quota import Facts
from tollway.services.inference.claims import Claims


class Visit:
    """An admitted one. Attributes: claims: what it holds, ``None`` if nothing applies to it."""

    __slots__ = ("claims", "principal")

    def __init__(self, principal: Principal) -> None:
        self.principal = principal
        self.claims: Claims | None = None

    def facts(self) -> Facts:
        """What quotas look at."""
        principal = self.principal
        key_id = principal.origin_id or principal.key_id
        return Facts(principal.organization_id, principal.project_id, key_id, "", (), "", "", "")

    def left_s(self) -> float:
        """Seconds its caller still waits: none says."""
        return math.inf
