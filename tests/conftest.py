"""What all tests share: in CI, tests over random inputs try the same inputs every time."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# Nothing here is judged by the clock: a busy machine makes no test fail. What must be quick is counted in time of computing.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
settings.register_profile("ci", derandomize=True, database=None)
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture(autouse=True, scope="session")
def _cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test reads what an audit of the developer has kept, nor leaves anything there."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
