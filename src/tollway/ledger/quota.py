"""Quotas: what may be used, by whom, in which time. A budget is a quota in money, a rate limit one in anything else.

Whose window a request counts in follows from the request alone (`Quota.subject`) and from the clock
(`tollway.ledger.window`); nothing is ever reset by a job.
"""

import hashlib
import json
from enum import StrEnum

import msgspec

EACH = ("project", "key", "user", "tag", "provider", "model")
"""The dimensions of which a quota can have one window for each value. They are written in this order."""
SUBJECT_VALUE_MAX_CHARS = 512
"""Of one value of a subject, as JSON; a longer one is named by its hash. A subject is part of a primary key, and
PostgreSQL takes no more than 2,704 bytes into an index: four values that callers choose and two UUIDs."""
THRESHOLDS = (50, 80, 100)
"""Percent of a budget at which an event is raised, unless others are chosen."""
_JSON = json.JSONEncoder()


class Unit(StrEnum):
    """What is counted."""

    USD = "usd"
    """Pico-dollars: a budget."""
    REQUESTS = "requests"
    INPUT_TOKENS = "input_tokens"
    OUTPUT_TOKENS = "output_tokens"
    TOKENS = "tokens"
    PARALLEL = "parallel"
    """Requests that run at the same time: given back when they end."""


class Period(StrEnum):
    """How long a window is. Hours and longer follow the calendar in the organization's time zone."""

    TOTAL = "total"
    SECOND = "second"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    """From Monday (ISO 8601)."""
    MONTH = "month"
    ROLLING = "rolling"
    """The last `Quota.length_s` seconds, at any moment."""


class Mode(StrEnum):
    """What happens at the end of a quota."""

    HARD = "hard"
    """It is never exceeded: requests are refused."""
    SOFT = "soft"
    """It warns."""


class Facts(msgspec.Struct, frozen=True, gc=False):
    """What a quota can depend on, of one request.

    Attributes:
        organization_id, project_id, key_id: UUIDs.
        user_tag: the end user, empty if none is named.
        tags: sorted ``(name, value)`` pairs.
        provider: name of the provider that is asked.
        model: the model name sent upstream, without the provider.
        model_asked: as the caller named it.
    """

    organization_id: str
    project_id: str
    key_id: str
    user_tag: str
    tags: tuple[tuple[str, str], ...]
    provider: str
    model: str
    model_asked: str


class Quota(msgspec.Struct, frozen=True):
    """One budget or rate limit.

    A dimension that is ``None`` does not matter, one with a value must be equal, and one named in `each` must be there
    and has a window for each of its values.

    Attributes:
        id: UUID.
        organization_id: always matters.
        unit: what is counted.
        period: the window.
        length_s: of a rolling window, in seconds; 0 for others.
        mode: hard or soft. Rate limits are hard.
        amount: what may be used in a window: pico-dollars, or a count. Of a temporary raise, see `amount_at`.
        project_id, key_id: UUIDs, or ``None``.
        user_tag: the end user, or ``None``.
        tag_name: a tag that the request must have, or ``None``.
        tag_value: its value; ``None`` for any value (then ``tag`` may stand in `each`).
        provider: provider name, or ``None``.
        model: ``provider/model`` as sent upstream, ``provider/*``, or the name the caller used (an alias), or ``None``;
            upper and lower case are the same.
        each: some of `EACH`, in that order.
        raised_amount: the amount while a temporary raise holds, ``None`` if there is none.
        raised_until: epoch seconds at which the raise ends.
        paused: counts, but neither refuses nor warns.
        generation: grows with each reset; windows of different generations have nothing in common.
        queue_s: seconds a request may wait for a rate limit instead of being refused; 0 for not at all.
        strict: where the provider did not count, a budget is charged the upper bound of the request (``True``), or
            our estimate.
        thresholds: percent of the amount at which an event is raised, ascending.
        time_zone: IANA name, of the organization.
    """

    id: str
    organization_id: str
    unit: Unit
    period: Period
    amount: int
    mode: Mode = Mode.HARD
    length_s: int = 0
    project_id: str | None = None
    key_id: str | None = None
    user_tag: str | None = None
    tag_name: str | None = None
    tag_value: str | None = None
    provider: str | None = None
    model: str | None = None
    each: tuple[str, ...] = ()
    raised_amount: int | None = None
    raised_until: float | None = None
    paused: bool = False
    generation: int = 0
    queue_s: float = 0
    strict: bool = True
    thresholds: tuple[int, ...] = THRESHOLDS
    time_zone: str = "UTC"

    @property
    def binds(self) -> bool:
        """Whether requests are refused at its end."""
        return self.mode is Mode.HARD and not self.paused

    def amount_at(self, now_s: float) -> int:
        """What may be used in a window, with the temporary raise if it holds at `now_s` (epoch seconds)."""
        if self.raised_amount is None or self.raised_until is None or now_s >= self.raised_until:
            return self.amount
        return self.raised_amount

    def applies_to_route(self, facts: Facts) -> bool:
        """Whether organization, project, key, provider and model fit: what many requests have in common."""
        return (
            self.organization_id == facts.organization_id
            and self.project_id in {None, facts.project_id}
            and self.key_id in {None, facts.key_id}
            and self.provider in {None, facts.provider}
            and (self.model is None or _folded(self.model) in _model_names(facts))
        )

    def applies_to_caller(self, facts: Facts) -> bool:
        """Whether end user and tags fit: what the caller says with each request."""
        if "user" in self.each and not facts.user_tag:
            return False
        if self.user_tag is not None and self.user_tag != facts.user_tag:
            return False
        if self.tag_name is None:
            return "tag" not in self.each
        return any(name == self.tag_name and self.tag_value in {None, value} for name, value in facts.tags)

    def subject(self, facts: Facts) -> str:
        """Whose window a request counts in that it applies to: the values of `each` as a JSON array in ASCII.

        Empty where there is one window for all.
        """
        if not self.each:
            return ""
        values = [_text(self._value(dimension, facts)) for dimension in self.each]
        return f"[{','.join(values)}]"

    def _value(self, dimension: str, facts: Facts) -> str:
        match dimension:
            case "project":
                return facts.project_id
            case "key":
                return facts.key_id
            case "user":
                return facts.user_tag
            case "tag":
                return next(value for name, value in facts.tags if name == self.tag_name)
            case "provider":
                return facts.provider
        return _folded(f"{facts.provider}/{facts.model}")


class WindowRef(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The name of one window, the same in every process.

    Attributes:
        quota_id: UUID.
        generation: of the quota.
        subject: whose window it is: see `Quota.subject`.
        start_us: epoch microseconds at which it begins; 0 for `Period.TOTAL`. Of a rolling quota: of the slot.
    """

    quota_id: str
    generation: int
    subject: str
    start_us: int


def _model_names(facts: Facts) -> set[str]:
    """What a quota may call the model of a request."""
    return {_folded(name) for name in (facts.model_asked, f"{facts.provider}/{facts.model}", f"{facts.provider}/*")}


def _folded(model: str) -> str:
    """A model's name, the same for all spellings that a provider may take for one: they share a budget."""
    return model.strip().lower()


def _text(value: str) -> str:
    text = _JSON.encode(value)
    return text if len(text) <= SUBJECT_VALUE_MAX_CHARS else f'"sha256:{hashlib.sha256(text.encode()).hexdigest()}"'
