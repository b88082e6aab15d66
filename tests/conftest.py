"""What the whole suite shares.

Hypothesis draws the same examples in every run, so that who installs the package and runs its tests sees what CI saw.
``MICROGRAD_TESTS=explore python -m pytest`` draws new ones.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from micrograd.ops import Operand
from micrograd.ops import table as table_module

# No deadline: a machine that is busy with something else is not a fault of the code under test.
settings.register_profile("repeat", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("MICROGRAD_TESTS", "repeat"))


@pytest.fixture(autouse=True, scope="session")
def machine_code_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep compiled code in a folder of this run; the user's own is left alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MICROGRAD_CACHE", str(tmp_path_factory.mktemp("machine-code")))
        yield


@pytest.fixture
def table_as_it_was() -> Iterator[None]:
    """Forget, after a test, the operations that it registered."""
    rows, attributes = dict(table_module._table), dict(vars(Operand))
    yield
    table_module._table.clear()
    table_module._table.update(rows)
    for name in set(vars(Operand)) - set(attributes):
        delattr(Operand, name)
    assert dict(vars(Operand)) == attributes
