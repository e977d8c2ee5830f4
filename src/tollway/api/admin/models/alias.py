"""Aliases on the wire."""

from datetime import datetime
from typing import Self

from pydantic import Field, model_validator

from tollway.api.admin.models.base import Given, Shown, Target
from tollway.api.admin.models.route import Route
from tollway.routing.route import Route as Wanted
from tollway.routing.route import direct


class AliasSettings(Given):
    """What `PUT` makes so: a target, or a route."""

    target: Target | None = Field(
        None, description="`provider/model`: the only one it stands for.", examples=["openai/gpt-4o-mini"]
    )
    route: Route | None = Field(None, description="Several targets, and how they are chosen.")

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.target is None) == (self.route is None):
            raise ValueError("Give `target` or `route`.")
        return self

    @property
    def wanted(self) -> Wanted:
        """As the services take it."""
        if self.route is not None:
            return self.route.wanted
        provider, _, model = (self.target or "").partition("/")
        return direct(provider, model)


class Alias(Shown):
    """A project's own name for a model, or for several."""

    id: str
    project_id: str
    project: str = Field(description="Name of the project.")
    name: str = Field(examples=["fast"])
    target: str = Field(description="Of a route: its first target.", examples=["openai/gpt-4o-mini"])
    route: Route | None = Field(description="Null: the target is all there is.")
    created_at: datetime
