"""Shapes: what is compiled for one is good for everybody who has it, and for nobody else."""

import itertools
import random
import threading

from carboy.base.scope import Scope
from carboy.policy.shapes import Shapes

MENTIONED = frozenset({"staff", "chess"})
NAMES = [frozenset(), frozenset({"staff"}), frozenset({"staff", "chess"}), frozenset({"other"})]


def everyone():
    """Return every kind of who may ask, in any order."""
    kinds = itertools.product((None, 0, 7), NAMES, (None, 0, 3), (None, *NAMES), (False, True))
    found = [
        Scope(user=user, roles=roles, tenant=tenant, tokens=tokens, system=system)
        for user, roles, tenant, tokens, system in kinds
    ]
    random.shuffle(found)
    return found


def parts(who, version):
    """Return what a shape is made of, worked out the long way."""
    tokens = None if who.tokens is None else who.tokens & MENTIONED
    named = who.roles & MENTIONED
    return version, who.system, who.user is not None, who.tenant is not None, named, tokens


def own(shape):
    """Return what a shape says."""
    return (
        shape.version, shape.system, shape.signed_in, shape.has_tenant, shape.roles, shape.tokens
    )  # fmt: skip


def test_a_shape_is_of_those_alone_who_have_it():
    """The same object for the same parts, another for others: caches go by identity."""
    shapes, known = Shapes(), {}
    for version in (1, 2, 1):  # a book that was read again, and a thread that is late
        for who in everyone() + everyone():
            shape = shapes.of(who, version, MENTIONED)
            assert own(shape) == parts(who, version)
            if version == 2:
                assert known.setdefault(own(shape), shape) is shape
    assert len(known) == len({id(shape) for shape in known.values()})


def test_common_shapes_are_one_object_each_for_all_threads():
    """Also the ones that are found without a lock, and after others were forgotten."""
    shapes, found = Shapes(most=1), []
    several = [who for who in everyone() if not (who.roles & MENTIONED or who.system)]
    start = threading.Barrier(4)

    def ask():
        start.wait()
        for who in several * 20:
            found.append((parts(who, 1), shapes.of(who, 1, MENTIONED)))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    common = {(key, id(shape)) for key, shape in found if key[-1] is None}
    assert len(common) == 4
