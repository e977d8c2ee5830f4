"""Providers of third parties: packages that name a `ProviderPlugin` as an entry point of the group `tollway.providers`.

An installed package is trusted as Tollway itself is: it runs in the workers.
"""

from importlib.metadata import entry_points

import msgspec

from tollway.providers.registry import REGISTRY, ProviderSpec
from tollway.providers.wire import Wire
from tollway.providers.wires import WIRES

GROUP = "tollway.providers"


class ProviderPlugin(msgspec.Struct, frozen=True, kw_only=True):
    """What a package adds.

    Attributes:
        rows: its providers.
        wires: wire formats that they speak and Tollway does not, by name.
    """

    rows: tuple[ProviderSpec, ...]
    wires: dict[str, Wire] = {}


def install_plugins() -> None:
    """Add the providers of all installed packages; does nothing the second time.

    Raises:
        ValueError: two of them, or one of them and Tollway, have a provider or a wire format of the same name.
        TypeError: an entry point is no `ProviderPlugin`.
    """
    for point in entry_points(group=GROUP):
        plugin = point.load()
        if not isinstance(plugin, ProviderPlugin):
            message = f"The entry point {point.name!r} of {GROUP} is no ProviderPlugin."
            raise TypeError(message)
        _add(plugin, point.name)


def _add(plugin: ProviderPlugin, name: str) -> None:
    for row in plugin.rows:
        if REGISTRY.setdefault(row.name, row) != row:
            message = f"The plugin {name!r} brings a provider {row.name!r}, and there is one already."
            raise ValueError(message)
    for format_name, wire in plugin.wires.items():
        if WIRES.setdefault(format_name, wire) is not wire:
            message = f"The plugin {name!r} brings a wire format {format_name!r}, and there is one already."
            raise ValueError(message)
