"""How both distributions are built: from one version, and from files that stay where they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface


class SameVersion(MetadataHookInterface):
    """What is not written down twice: what one of the two asks of the other is its own version, ``{version}`` in the table."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Fill in what `dynamic` leaves open."""
        for field in metadata["dynamic"]:
            if field in self.config:
                metadata[field] = _with(metadata["version"], self.config[field])
        if "readme" in metadata["dynamic"]:
            text = (Path(self.root) / "README.md").read_text("utf-8").partition(self.config["readme-until"])[0]
            metadata["readme"] = {"content-type": "text/markdown", "text": text}


class TheirSubpackages(BuildHookInterface[Any]):
    """The subpackages that the hook's table lists are in the wheel; an editable install finds them where they are."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add them to a wheel."""
        if version == "standard":
            chosen = {f"../hermes_hints/{name}": f"hermes_hints/{name}" for name in self.config["subpackages"]}
            build_data["force_include"].update(chosen)


def _with(version: str, wanted: Any) -> Any:  # noqa: ANN401 - as TOML has it
    if isinstance(wanted, dict):
        return {key: _with(version, each) for key, each in wanted.items()}
    return [requirement.replace("{version}", version) for requirement in wanted]
