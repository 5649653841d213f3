"""What the tests of the shop share."""

import pytest
from models import Book

from carboy import User


@pytest.fixture
def ines(make):
    """A customer."""
    return make(User, name="Ines Kowalczyk")


@pytest.fixture
def sam(make):
    """One of the staff."""
    return make(User, name="Sam", roles=["staff"])


@pytest.fixture
def emma(make):
    """A book of which there are five."""
    return make(Book, title="Emma", author="Jane Austen", language="English",
                year=1815, subject="romance", keywords="romance society", price_cents=1000,
                stock=5)  # fmt: skip


@pytest.fixture
def faust(make):
    """A book of which there is one."""
    return make(Book, title="Faust", author="Johann Wolfgang von Goethe", language="German",
                year=1808, subject="drama", keywords="drama", price_cents=700, stock=1)  # fmt: skip


@pytest.fixture
def address():
    """Where parcels go."""
    return {"name": "Ines Kowalczyk", "street": "Krzyża 14/3", "postcode": "31-028",
            "city": "Kraków", "country": "Poland", "delivery": "post"}  # fmt: skip
