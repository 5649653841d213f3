"""Who asks: entered, nested, left, and never inherited by a thread."""

import threading

import pytest

from carboy.base import scope as scopes
from carboy.base.scope import NobodyAsking, Scope, current, forbidden, frame, scope, unscoped


def test_nobody_asks_outside_of_every_scope():
    """The error says what to write."""
    with pytest.raises(NobodyAsking, match=r"Nobody is asking.*\n.*app\.scope") as error:
        current()
    assert error.value.code == "scope.nobody"


def test_a_scope_is_an_immutable_value():
    """Equal scopes are the same person; nobody can raise themselves."""
    assert Scope(7, frozenset({"a"})) == Scope(7, frozenset({"a"}))
    with pytest.raises(AttributeError):
        Scope().system = True


def test_the_inner_scope_replaces_the_outer_one():
    """Roles are not added up over nested scopes."""
    with scope(user=1, roles={"staff"}) as outer:
        with scope(user=2) as inner:
            assert current() == Scope(2)
            assert inner.generation > outer.generation
        assert frame() is outer


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_any_exit_restores_the_outer_scope(error):
    """Also the exits that are not Exceptions."""
    with scope(user=1):
        with pytest.raises(error), unscoped("test"):
            raise error
        assert current().user == 1


def test_a_new_thread_starts_without_scope():
    """Nobody works on somebody's behalf by accident."""
    seen = []

    def work():
        try:
            seen.append(current())
        except NobodyAsking as error:
            seen.append(error.code)

    with scope(user=1):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert seen == ["scope.nobody"]


@pytest.mark.parametrize("reason", ["", "  ", None])
def test_unscoped_needs_a_reason(reason):
    """An escape without a reason is a mistake."""
    with pytest.raises(ValueError, match="reason"), unscoped(reason):
        pass


def test_unscoped_is_told_with_file_line_and_reason(monkeypatch):
    """Listeners hear it before the block runs."""
    heard = []
    monkeypatch.setattr(scopes, "listeners", [heard.append])
    with unscoped(" nightly ") as entered:
        assert current().system
    assert heard == [entered]
    assert entered.reason == "nightly"
    assert "test_scope.py:" in entered.place


def test_what_belongs_to_a_scope_is_closed_with_it():
    """Every closer runs, the last one first, even when one fails."""
    closed = []

    def fail():
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"), scope() as entered:
        entered.closers += [lambda: closed.append("first"), fail]
    assert closed == ["first"]
    with pytest.raises(NobodyAsking):
        current()


def test_where_it_is_forbidden_nobody_can_be_asked_for():
    """A rule is built once for everybody: it may not look who is there."""
    with scope(user=1), forbidden("A rule"):
        with pytest.raises(NobodyAsking, match="A rule may not ask"):
            current()
        with pytest.raises(NobodyAsking, match="A rule may not ask"), unscoped("sneaky"):
            pass


def test_a_generator_closed_elsewhere_does_not_change_the_scope_there():
    """Another context's scope stays what it is."""
    import contextvars

    def work():
        with scope(user=1):
            yield

    running = work()
    contextvars.copy_context().run(next, running)
    with scope(user=2):
        running.close()
        assert current().user == 2


@pytest.mark.parametrize("given", [{"roles": "staff"}, {"tokens": "read"}])
def test_one_string_is_no_set_of_names(given):
    """'staff' would become five roles of one letter."""
    with pytest.raises(TypeError, match="sets of names"), scope(**given):
        pass
