"""What all tests share, also those of examples."""

import sys

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Let no application have people because another test in this process imported `User`.

    Before any fixture, of whatever scope; tests/auth asks for people itself.
    """
    people = sys.modules.get("carboy.auth.people")
    if people is not None:
        people.imported = False
