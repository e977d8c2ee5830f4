"""Finds the quotas that apply to a request, among all there are."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from tollway.ledger.quota import Facts, Quota

CACHE_ENTRIES = 20_000
"""Remembered routes (a key that asks for a model): about 10 MB at the most."""

_Route = tuple[str, str, str, str, str, str]
_Fitting = tuple[tuple[Quota, ...], tuple[Quota, ...], tuple[Quota, ...]]
"""Of those that fit a route: for callers without an end user, for callers with one, and perhaps, by their tags."""
_Named = tuple[str, str, str | None]


class QuotaBook:
    """All quotas, looked up by what a request is.

    Which ones fit a request's route (organization, project, key, provider, model) is worked out once for each route.
    Those that depend on the end user or a tag are looked at for each request; of those that name a user or a tag's
    value there may be thousands, so they are found by that name.

    Not changed after it is built: a change of quotas makes a new book. Not for use from several threads at once.

    Attributes:
        quotas: all of them, by id.
    """

    def __init__(self, quotas: Iterable[Quota]) -> None:
        self.quotas: Mapping[str, Quota] = {quota.id: quota for quota in quotas}
        self._owned: dict[str, list[Quota]] = defaultdict(list)
        self._named: dict[_Named, list[Quota]] = defaultdict(list)
        for quota in self.quotas.values():
            if (name := _name(quota)) is not None:
                self._named[name].append(quota)
            else:
                self._owned[quota.key_id or quota.project_id or quota.organization_id].append(quota)
        self._naming = frozenset(organization_id for organization_id, _, _ in self._named)
        self._routes: dict[_Route, _Fitting] = {}

    def applying(self, facts: Facts) -> tuple[Quota, ...]:
        """The quotas that a request counts in, always in the same order for the same request."""
        if not self.quotas:
            return ()
        route = (
            facts.organization_id,
            facts.project_id,
            facts.key_id,
            facts.provider,
            facts.model,
            facts.model_asked,
        )
        anonymous, of_users, perhaps = self._routes.get(route) or self._look_up(route, facts)
        always = of_users if facts.user_tag else anonymous
        if facts.organization_id in self._naming:
            perhaps += self._naming_callers(facts)
        if not perhaps:
            return always
        return always + tuple(quota for quota in perhaps if quota.applies_to_caller(facts))

    def _look_up(self, route: _Route, facts: Facts) -> _Fitting:
        owners = (facts.organization_id, facts.project_id, facts.key_id)
        fitting = [quota for owner in owners for quota in self._owned.get(owner, ()) if quota.applies_to_route(facts)]
        untagged = [quota for quota in fitting if quota.tag_name is None and "tag" not in quota.each]
        found = (
            tuple(quota for quota in untagged if "user" not in quota.each),
            tuple(untagged),
            tuple(quota for quota in fitting if quota.tag_name is not None),
        )
        if len(self._routes) >= CACHE_ENTRIES:
            del self._routes[next(iter(self._routes))]
        self._routes[route] = found
        return found

    def _naming_callers(self, facts: Facts) -> tuple[Quota, ...]:
        """Those that name this end user or the value of one of these tags, and fit the route."""
        names: list[_Named] = [(facts.organization_id, *tag) for tag in facts.tags]
        names.append((facts.organization_id, facts.user_tag, None))
        named = self._named
        return tuple(quota for name in names for quota in named.get(name, ()) if quota.applies_to_route(facts))


def _name(quota: Quota) -> _Named | None:
    """What of a caller the quota names: an end user, or a tag with its value."""
    if quota.user_tag is not None:
        return (quota.organization_id, quota.user_tag, None)
    if quota.tag_name is not None and quota.tag_value is not None:
        return (quota.organization_id, quota.tag_name, quota.tag_value)
    return None
