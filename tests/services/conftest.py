import pytest

from support.leases import PATIENCE_S
from tollway.services import idempotency_claims, idempotency_endings, response_store
from tollway.services.leases import exchange


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that answers late, because the machine is busy, is not called away: that is for the tests about it."""
    monkeypatch.setattr(exchange, "LEASE_TIMEOUT_S", PATIENCE_S)
    monkeypatch.setattr(idempotency_claims, "_TIMEOUT_S", PATIENCE_S)
    monkeypatch.setattr(idempotency_endings, "_DELAY_MAX_S", PATIENCE_S)
    monkeypatch.setattr(response_store, "_WRITTEN_TIMEOUT_S", PATIENCE_S)
