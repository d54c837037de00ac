"""What a build of the wheel does besides copying: it compiles the rules, so that an audit need not read their YAML."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompiledRules(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the rules as JSON beside their files.

    An editable install, which takes the rules from the checkout, and a build without a parser for YAML do without:
    audits then read the files, and keep what they read in the user's cache.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        sys.path.insert(0, str(Path(self.root, "src")))
        try:
            from mlops_audit.shipped import COMPILED, compiled

            text = compiled()
        except ImportError as error:
            self.app.display_warning(f"the rules are not compiled: {error}")
            return
        finally:
            sys.path.pop(0)
        self.place = tempfile.TemporaryDirectory()
        file = Path(self.place.name, COMPILED)
        file.write_text(text, "utf-8")
        build_data["force_include"][str(file)] = f"mlops_audit/_data/{COMPILED}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if hasattr(self, "place"):
            self.place.cleanup()
