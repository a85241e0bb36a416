"""One deployment for the tests of a module: what it has survived is part of the next test."""

from __future__ import annotations

import pytest
from faults.deployment import deployment
from faults.hands import Hands


@pytest.fixture(scope="module")
def deployed(tmp_path_factory):
    with deployment(tmp_path_factory.mktemp("deployment")) as running:
        running.settles()
        yield running


@pytest.fixture
def hands(deployed, request):
    """Hands of the test's own; the same test does the same things."""
    seed = sum(request.node.name.encode())
    return Hands(deployed.seeds, seed)
