"""What every test of the kit gets: the models that it declares count, and no others."""

import pytest


@pytest.fixture(autouse=True)
def nobody_else(no_policies):
    """Models of other tests state policies; those here do not."""
