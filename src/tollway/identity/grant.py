"""What a scope includes, and so what its holder may pass on. Pure."""

from collections.abc import Iterable

from tollway.identity.principal import Scope

_INCLUDED = {
    Scope.INFERENCE: frozenset({Scope.INFERENCE}),
    Scope.READ: frozenset({Scope.READ}),
    Scope.ADMIN: frozenset({Scope.ADMIN, Scope.READ, Scope.INFERENCE}),
    Scope.PLATFORM: frozenset(Scope),
}


def included(scopes: Iterable[Scope]) -> frozenset[Scope]:
    """The scopes with all that they include: an administrator manages keys for inference without being one of them.

    This is what a key may do on the control plane and grant to new keys; the data plane asks for `inference` itself.
    """
    return frozenset[Scope]().union(*(_INCLUDED[scope] for scope in scopes))
