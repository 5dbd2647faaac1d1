"""A system as `claimcheck up` runs it where no endpoint is configured."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stack.demonstration import DemonstrationModel, demonstration_model


@pytest.fixture(scope="module")
def demo_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemonstrationModel]:
    """The model, answering."""
    with demonstration_model(tmp_path_factory.mktemp("demo-model")) as running:
        yield running
