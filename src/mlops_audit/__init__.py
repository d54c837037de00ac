"""mlops-audit: how ready for production a machine-learning repository is, said without running it."""

from __future__ import annotations

import sys

__version__ = "0.1.0"
__all__ = ["Report", "__version__", "audit"]

TYPE_CHECKING = False  # type checkers take it for true; `typing` itself is not needed here
if TYPE_CHECKING:
    from mlops_audit.audit import audit
    from mlops_audit.report import Report


class _Face(type(sys)):  # type: ignore[misc]
    """The package with its public names, imported when first asked for.

    `audit` is the function, although the import system binds the module of that name here once it is loaded.
    """

    @property
    def audit(self) -> object:
        from mlops_audit.audit import audit

        return audit

    @audit.setter
    def audit(self, module: object) -> None:
        pass

    @property
    def Report(self) -> object:
        from mlops_audit.report import Report

        return Report


sys.modules[__name__].__class__ = _Face
