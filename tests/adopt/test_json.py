"""JSON: rows from lists of objects, tables below them, and what is neither."""

import datetime as dt
import json
from decimal import Decimal

import pytest

from carboy.base.errors import SetupError

SHOPS = [
    {"name": "A", "open": True, "place": {"lat": 1.5}, "tags": ["x", "y"],
     "orders": [{"no": 1, "lines": [{"item": "p", "price": 2.5}, {"item": "q", "price": 3.25}]},
                {"no": 2, "lines": []}]},
    {"name": "B", "open": False, "place": None, "tags": [], "orders": []},
    {"name": "C", "open": True, "place": {"lat": 2}, "extra": "2026-05-01",
     "orders": [{"no": 3, "lines": [{"item": "r", "price": 1}]}]},
]  # fmt: skip


@pytest.mark.parametrize("size", [1, 7, 1 << 16], ids=["by sign", "by seven", "by block"])
def test_nested_objects_and_lists(adopt, monkeypatch, size):
    """Objects are JSON; lists of objects are tables that belong to theirs; read in any portion."""
    monkeypatch.setattr("carboy.cli.adopt.jsons.READ", size)
    found = adopt(json=json.dumps(SHOPS, indent=2))
    shops, orders, lines = found.rows["Thing"], found.rows["Order"], found.rows["Line"]
    assert [(s["name"], s["open"], s["place"], s["tags"]) for s in shops] == [
        ("A", True, {"lat": 1.5}, ["x", "y"]),
        ("B", False, None, []),
        ("C", True, {"lat": 2}, None),
    ]
    assert [shop["extra"] for shop in shops] == [None, None, dt.date(2026, 5, 1)]
    assert [(o["no"], o["thing_id"]) for o in orders] == [(1, 1), (2, 1), (3, 3)]
    assert [(x["item"], x["price"], x["order_id"]) for x in lines] == [
        ("p", Decimal("2.50"), 1), ("q", Decimal("3.25"), 1), ("r", Decimal("1.00"), 3),
    ]  # fmt: skip


def test_rows_below_refer_to_a_key_of_the_source(adopt):
    """Where the objects have an id, their parts refer to that."""
    things = [{"id": "a7", "parts": [{"n": 1}]}, {"id": "b9", "parts": [{"n": 2}, {"n": 3}]}]
    found = adopt(json=json.dumps(things))
    assert [row["thing_id"] for row in found.rows["Part"]] == ["a7", "b9", "b9"]


def test_several_tables_in_one_object(adopt):
    """What is no list is left out, and told."""
    text = json.dumps({"version": 3, "people": [{"name": "Ann"}], "pets": [{"name": "Rex"}]})
    found = adopt(json=text)
    assert {name: len(rows) for name, rows in found.rows.items()} == {"Person": 1, "Pet": 1}
    assert found.notes == ["things.json: 'version' is no list, so it was left out"]


@pytest.mark.parametrize("ending", ["jsonl", "json", "txt"])
def test_one_object_per_line(adopt, ending):
    """Whatever the file is called; a number says its line."""
    text = '{"a": 1, "b": "x"}\n\n{"a": 2}\n{"b": "y", "a": 3}\n'
    if ending == "txt":
        with pytest.raises(SetupError):
            adopt(txt="a\n")
        return
    assert adopt(**{ending: text}).column("a") == [1, 2, 3]


def test_types_are_those_of_json(adopt):
    """A text of digits stays text; numbers beyond 64 bits and mixtures become text, told."""
    rows = [
        {"zip": "01234", "big": 2**70, "mixed": 1776, "whole": 3.0, "score": 1.5, "nan": 1},
        {"zip": "99999", "big": 1, "mixed": "300", "whole": None, "score": 2, "nan": 2},
    ]
    found = adopt(json=json.dumps(rows)[:-1] + ', {"nan": NaN}]')
    assert found.column("zip") == ["01234", "99999", None]
    assert found.column("big") == [str(2**70), "1", None]
    assert found.column("mixed") == ["1776", "300", None]
    assert found.column("whole") == [3, None, None]
    assert found.column("score") == [1.5, 2.0, None]
    assert found.column("nan") == [1, 2, None]
    assert "holds 1 whole numbers, 1 texts; kept as text" in found.text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[", "line 1"),
        ('[{"a": 1}', "a comma is missing before 'its end'"),
        ('[{"a": 1},\n{"a" 2}]', "line 2"),
        ('[{"a": 1}] x', "something follows"),
        ("{}", "no list of objects"),
        ('{"a": 1}', "no list of objects"),
        ("[1, 2]", "no list of objects"),
        ("[]", "no list of objects"),
        ('"text"', "it begins with"),
        ("[" * 100_000, "nested too deeply"),
        (" ", "is empty"),
    ],
)
def test_what_is_no_table_is_refused(adopt, text, words):
    """With the line and the reason."""
    with pytest.raises(SetupError) as error:
        adopt(json=text)
    assert words in str(error.value)


def test_half_a_character_is_a_wrong_row(adopt):
    r"""JSON can say \ud800, which no text is."""
    text = '[{"a": "x"}, {"a": "\\ud800"}, {"a": "y"}]'
    with pytest.raises(SetupError, match=r"a: .* holds bytes that are no text"):
        adopt(json=text)
    assert adopt(json=text, skip_bad=True).column("a") == ["x", "y"]


def test_real_files(adopt, vega):
    """Every value of the package's JSON files comes back."""
    for name in ("cars", "iris", "barley", "wheat", "burtin", "anscombe", "ohlc", "driving"):
        rows = json.loads((vega / f"{name}.json").read_text())
        found = adopt(vega / f"{name}.json")
        (made,) = found.drafts
        assert len(found.only) == len(rows)
        for column in made.columns:
            for mine, theirs in zip(found.only, rows, strict=True):
                value = mine[column.name]
                value = value.isoformat()[:10] if isinstance(value, dt.date) else value
                value = float(value) if isinstance(value, Decimal) else value
                given = theirs.get(column.source)
                given = str(given) if isinstance(value, str) else given
                assert value == (given[:10] if isinstance(value, str) and given else given) or (
                    value == given
                ), (name, column.source)
