"""One world of the usual size, made once."""

from __future__ import annotations

import pytest

from deploy.demo.population import Population, make_population


@pytest.fixture(scope="session")
def world() -> Population:
    return make_population()
