"""Request ids are unique, cheap, and harmless; trace ids follow the W3C."""

from __future__ import annotations

import os
import re
import threading

import pytest

from carboy.base import ids

FORM = re.compile(r"[0-9a-f]{16}-[0-9a-f]{6,}")


def test_an_id_has_the_prefix_of_the_process_and_a_counter():
    """Two ids of one process share the prefix and differ in the counter."""
    first, second = ids.new_id(), ids.new_id()

    assert FORM.fullmatch(first)
    assert first[:17] == second[:17]
    assert int(second[17:], 16) == int(first[17:], 16) + 1


def test_threads_never_get_the_same_id():
    """8 threads times 5,000 ids are 40,000 different ids."""
    found: list[list[str]] = []

    def work() -> None:
        found.append([ids.new_id() for _ in range(5_000)])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({one for some in found for one in some}) == 40_000


def test_a_forked_child_draws_a_new_prefix():
    """A worker forked from a warm parent does not repeat the parent's ids."""
    mine = ids.new_id()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, ids.new_id().encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    theirs = os.read(reader, 100).decode()
    os.close(reader)

    assert FORM.fullmatch(theirs)
    assert theirs[:16] != mine[:16]


def test_an_own_id_would_be_accepted_back():
    """What we send may come back from the next service in line."""
    one = ids.new_id()

    assert ids.accepted(one) == one


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "short",
        "a" * 65,
        "two words!",
        "line\nbreak",
        "newline\n",
        'quo"tedid',
        "ünïcödé-id",
    ],
)
def test_a_harmful_id_from_the_client_is_not_accepted(header):
    """Only 8 to 64 harmless ASCII characters pass."""
    assert ids.accepted(header) is None


TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    "header",
    [f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00", f"cc-{TRACE}-{PARENT}-01-what-comes"],
)
def test_a_valid_traceparent_names_its_trace(header):
    """Version 00, and later versions with more fields, are understood."""
    assert ids.trace_id(header) == TRACE


@pytest.mark.parametrize(
    "header",
    [
        "",
        "garbage",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-extra",
        f"cc-{TRACE}-{PARENT}-01.extra",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01\n",
        f"00-{TRACE}-{PARENT}",
    ],
)
def test_an_invalid_traceparent_is_ignored(header):
    """Cases of the W3C's own validation list (trace-context/test)."""
    assert ids.trace_id(header) is None
