import pytest

from tollway.errors import PermissionDeniedError
from tollway.identity.principal import Principal, Scope
from tollway.ids import uuid7
from tollway.providers.sign_in.grant import Grant, refused
from tollway.providers.sign_in.identity import identity_of, require_sign_in_allowed

TENANT = Principal(uuid7(), uuid7(), "", "bob", frozenset({Scope.ADMIN, Scope.READ}))
PLATFORM = Principal(uuid7(), uuid7(), "", "ada", frozenset({Scope.PLATFORM, Scope.ADMIN}))
KEYS = '{"access_key_id":"AKID","secret_access_key":"very-secret"}'


@pytest.mark.parametrize("mode", ["ambient", "federated", "anything-new"])
def test_the_identity_of_the_machine_is_the_platforms_before_and_after(mode: str) -> None:
    machine, plain = {"sign_in": mode}, {"region": "a"}
    for options in ((machine,), (machine, plain), (plain, machine)):
        with pytest.raises(PermissionDeniedError):
            require_sign_in_allowed(TENANT, *options)
        require_sign_in_allowed(PLATFORM, *options)
        require_sign_in_allowed(None, *options)
    for options in ((plain,), ({"sign_in": "credential"},), ({"sign_in": ""},), ()):
        require_sign_in_allowed(TENANT, *options)


def test_a_machine_that_signs_in_as_itself_needs_no_credential_and_shows_none() -> None:
    assert identity_of("aws", KEYS, {"sign_in": "ambient"}).credential == ""
    assert identity_of("aws", KEYS, {}).document() == {"access_key_id": "AKID", "secret_access_key": "very-secret"}


def test_providers_share_what_was_granted_only_if_everything_that_matters_is_equal() -> None:
    one = identity_of("aws", KEYS, {"region": "a", "guardrail": "x"})
    assert one == identity_of("aws", KEYS, {"guardrail": "y", "region": "a"})
    assert one != identity_of("aws", KEYS, {"region": "b"})
    assert one != identity_of("aws", "other", {"region": "a"})
    assert one != identity_of("google", KEYS, {"region": "a"})
    assert one != identity_of("aws", KEYS, {"region": "a", "sign_in": "federated"})


def test_no_secret_is_in_what_is_logged() -> None:
    identity = identity_of("aws", KEYS, {})
    reason = refused(ValueError("AKID with very-secret failed"), identity).reason
    assert "very-secret" not in reason
    assert "very-secret" not in repr(identity) + repr(Grant(1.0, token="very-secret"))
    plain = identity_of("aws", "plain-secret", {})
    assert "plain-secret" not in refused(OSError("with plain-secret"), plain).reason


def test_what_is_no_document_is_a_plain_key() -> None:
    for credential in ("key", "", "{broken", "[1]"):
        assert identity_of("aws", credential, {}).document() is None
