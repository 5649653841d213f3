"""The geometry of charts: whatever the numbers, what is drawn stays in the picture."""

import math
import re
from decimal import Decimal

import pytest
from hypothesis import given, settings, strategies as st

from carboy.web.look import charts

anything = st.one_of(st.none(), st.floats(), st.integers(), st.text(max_size=3), st.booleans())


@settings(max_examples=50)
@given(st.lists(anything, max_size=40))
def test_lines_and_areas_stay_in_the_picture(values):
    """Negative, huge, missing: every point lies within 600 by 100."""
    clean = charts.clean(values)
    top = charts.ceiling(clean)
    for path in (charts.line(clean, top), charts.area(clean, top)):
        assert re.fullmatch(r"[MLz0-9. ]*", path)
        points = [tuple(map(float, pair.split())) for pair in re.split("[MLz]+", path) if pair]
        assert all(0 <= x <= charts.WIDTH and 0 <= y <= charts.HEIGHT for x, y in points)


@settings(max_examples=50)
@given(st.lists(st.lists(anything, max_size=12), max_size=3))
def test_bars_stay_in_the_picture(series):
    """Also when they stand on each other."""
    clean = [charts.clean(values) for values in series]
    top = charts.ceiling(charts.sums(clean))
    for row in charts.bars(clean, top):
        for bar in row:
            assert 0 <= bar.x <= bar.x + bar.width <= charts.WIDTH + 0.1
            assert -0.1 <= bar.y <= bar.y + bar.height <= charts.HEIGHT + 0.1


@given(
    st.lists(st.floats(-1e12, 1e12) | st.integers(0, 10**9).map(float), min_size=1),
    st.sampled_from([1, 2, 4, 5]),
)
def test_an_axis_ends_above_every_value(values, count):
    """Not far above, and in whole parts where things are counted."""
    top = charts.ceiling(values, count)

    assert top >= max(values)
    assert top <= max(max(values) * 10, 10) or top == count
    if all(value.is_integer() for value in values):
        assert all(tick == round(tick) for tick in charts.ticks(top, count))


@given(st.lists(st.floats()), st.sampled_from([1, 2, 4]))
def test_an_axis_ends_whatever_the_numbers_are(values, count):
    """Tiny, huge, none."""
    assert 0 < charts.ceiling(charts.clean(values), count) < math.inf or max(values) > 1e300


@pytest.mark.parametrize(
    ("top", "count", "end"),
    [(0, 1, 1), (-3, 4, 4), (1, 1, 1), (131, 2, 150), (812.5, 4, 1000), (1000, 4, 1000),
     (0.03, 1, 0.03), (226, 4, 300), (1, 4, 4), (9, 4, 12), (7, 2, 8)],
)  # fmt: skip
def test_an_axis_ends_at_a_round_number(top, count, end):
    """What a person would have chosen."""
    assert charts.ceiling([top], count) == pytest.approx(end)


def test_a_missing_value_is_a_gap():
    """Not a zero, and not a bridge."""
    assert charts.line([1, 1, None, 1, 1], 1).count("M") == 2
    assert charts.line([None, None], 1) == ""


def test_a_lone_value_is_seen():
    """A point would have no length."""
    assert charts.line([5], 10) == "M0 50.0L600 50.0"


@given(anything, anything)
def test_a_gauge_is_between_empty_and_full(value, whole):
    """Percent, whatever is asked."""
    assert 0 <= charts.share(value, whole) <= 100


def test_a_gauge_takes_what_databases_give():
    """Decimals too."""
    assert charts.share(Decimal("18.2"), 20) == 91


@pytest.mark.parametrize("count", [0, 1, 4, 5, 6, 30, 365])
def test_labels_are_thinned_to_first_and_last(count):
    """At most five, so that they stand apart."""
    labels = list(range(count))
    picked = charts.picked(labels)

    assert len(picked) <= 5
    assert picked[:1] == labels[:1]
    assert picked[-1:] == labels[-1:]
