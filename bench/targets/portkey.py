"""Portkey's open-source gateway (TypeScript on Node)."""

from pathlib import Path

from bench.ask import Shape
from bench.install import node_package, version_line
from bench.target import Stage, Target, await_answer, free_port, shape

PACKAGE = "@portkey-ai/gateway"
VERSION = "1.15.2"
OVERRIDES = {"@hono/node-server": "1.13.8"}
"""With 1.14.2 or newer every stream of this Portkey fails: https://github.com/Portkey-AI/gateway/issues/1389."""


class Portkey(Target):
    """As ``npx @portkey-ai/gateway`` runs it, without its console; the caller names the provider in headers."""

    name = "portkey"
    what = "no keys of its own, no ledger"

    def install(self, cache: Path) -> str:
        """From npm."""
        modules = node_package(cache, PACKAGE, VERSION, OVERRIDES)
        self.script = modules / PACKAGE / "build" / "start-server.js"
        return f"{VERSION}, Node {version_line(['node', '--version']).removeprefix('v')}"

    def start(self, stage: Stage) -> Shape:
        """Start it."""
        port = free_port()
        command = ["node", str(self.script), f"--port={port}", "--headless"]
        environment = {"NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost"}
        self.child = stage.children.start(self.name, stage.core, command, environment=environment)
        asked = shape(port, x_portkey_provider="openai", x_portkey_custom_host=stage.upstream_url)
        await_answer(asked, self.child)
        return asked
