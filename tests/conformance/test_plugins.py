"""A provider of a third party: a package with an entry point."""

import subprocess
import sys
from pathlib import Path

PACKAGE = """
from tollway.providers.plugins import ProviderPlugin
from tollway.providers.registry import REGISTRY
from tollway.providers.wires import WIRES
from msgspec.structs import replace

ACME = replace(REGISTRY["cohere"], name="acme", title="Acme", dialect="acme", key_variable="ACME_KEY")
PLUGIN = ProviderPlugin(rows=(ACME,), wires={"acme": WIRES["cohere"]})
CLASH = ProviderPlugin(rows=(replace(ACME, name="openai"),))
WRONG = "no plugin"
"""
SCRIPT = """
from tollway.providers.plugins import install_plugins
from tollway.providers.registry import REGISTRY
from tollway.providers.wires import WIRES
install_plugins()
install_plugins()
print(REGISTRY["acme"].title, "acme" in WIRES)
"""


def installed(folder: Path, plugin: str) -> subprocess.CompletedProcess[str]:
    """Run the script with the package on the path, as if it was installed."""
    (folder / "tollway_acme.py").write_text(PACKAGE)
    metadata = folder / "tollway_acme-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: tollway-acme\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[tollway.providers]\nacme = tollway_acme:{plugin}\n")
    environment = {"PYTHONPATH": str(folder), "PATH": ""}
    return subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=False)


def test_a_package_brings_a_provider_and_its_wire_format(tmp_path: Path) -> None:
    assert installed(tmp_path, "PLUGIN").stdout.split() == ["Acme", "True"]


def test_it_cannot_take_the_place_of_another_provider(tmp_path: Path) -> None:
    assert "brings a provider 'openai', and there is one already" in installed(tmp_path, "CLASH").stderr


def test_what_is_no_plugin_is_said_to_be_none(tmp_path: Path) -> None:
    assert "is no ProviderPlugin" in installed(tmp_path, "WRONG").stderr
