"""Names in the database are derived, stable and short."""

import pytest

from carboy.data.naming import LONGEST, constraint_name, label_of, table_name


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("Book", "books"),
        ("OrderLine", "order_lines"),
        ("Category", "categories"),
        ("Day", "days"),
        ("Address", "addresses"),
        ("Box", "boxes"),
        ("Branch", "branches"),
        ("HTTPProxy", "http_proxies"),
        ("Person", "people"),
        ("ParentChild", "parent_children"),
        ("News", "news"),
        ("Oauth2Token", "oauth2_tokens"),
        ("Straße", "straßes"),
    ],
)
def test_a_table_is_called_after_its_class_in_the_plural(name, table):
    """The rule that the documentation states."""
    assert table_name(name) == table


def test_a_long_name_keeps_its_beginning_and_stays_distinct():
    """PostgreSQL would cut two names to the same one."""
    one, two = (constraint_name("uq", "t" * 80, end) for end in "ab")
    assert one != two
    assert max(len(one), len(two)) <= LONGEST
    assert one.startswith("uq_ttt")


def test_labels_are_words():
    """As people would write them."""
    assert label_of("published_on") == "Published on"
    assert label_of("OrderLine") == "Order line"
