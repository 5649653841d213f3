"""CSV: how a file is written is found out, and every value comes back."""

import csv
import datetime as dt
from decimal import Decimal

import pytest

from carboy.base.errors import SetupError

MESSY = "Größe;Name;Straße\n1,5;Ähre;Öl\n22,75;Ü;ß\n0,0;é;ñ\n"


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b""),
        ("utf-8", b"\xef\xbb\xbf"),
        ("utf-16-le", b"\xff\xfe"),
        ("utf-16-be", b"\xfe\xff"),
        ("utf-16-le", b""),
        ("utf-16-be", b""),
        ("cp1252", b""),
        ("latin-1", b""),
    ],
    ids=["utf-8", "bom", "utf-16-le", "utf-16-be", "le-no-bom", "be-no-bom", "cp1252", "latin-1"],
)
def test_encodings_are_told_by_the_bytes(adopt, encoding, mark):
    """The header too; no package is needed for it."""
    found = adopt(csv=mark + MESSY.encode(encoding))
    assert [row["name"] for row in found.only] == ["Ähre", "Ü", "é"]
    assert found["Thing.groesse"].label == "Größe"
    assert found.column("groesse") == [1.5, 22.75, 0.0]


def test_latin_1_where_windows_has_no_such_byte(adopt):
    """0x81 is a control character in Latin-1 and nothing in Windows-1252."""
    assert adopt(csv=b"a,b\nx\x81,\xe4\nx,y\n").column("b") == ["ä", "y"]


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"], ids=["comma", "semicolon", "tab", "bar"])
def test_delimiters(adopt, sign):
    """Also where the others stand inside values; quotes and line breaks are kept."""
    rows = [["a", "b"], ["x,;\t|", 'said "no"'], ["two\nlines", "z"], ["q", "r"]]
    text = "\r\n".join(sign.join('"' + c.replace('"', '""') + '"' for c in row) for row in rows)
    found = adopt(csv=text)
    assert [[row["a"], row["b"]] for row in found.only] == rows[1:]
    assert found["Thing.a"].widget == "textarea"


def test_headers_that_are_empty_twice_or_no_names(adopt):
    """Each becomes a name, told beside the line; what has neither name nor value goes."""
    found = adopt(csv="Name,Name, name ,,class,2nd,,def\na,b,c,x,1,2,,3\nd,e,f,y,4,5,,6\n")
    assert list(found.only[0]) == [
        "id", "name", "name_2", "name_3", "column_4", "class_", "n2nd", "def_",
    ]  # fmt: skip
    assert found.column("name_3") == ["c", "f"]
    assert "another column is called 'Name' too" in found.text
    assert "column 7 has no header and no values" in found.text


def test_no_header_line(adopt):
    """Numbers are no header: the columns are numbered, and the first line is a row."""
    found = adopt(csv="1,2.5\n3,4.5\n")
    assert [(row["column_1"], row["column_2"]) for row in found.only] == [(1, 2.5), (3, 4.5)]
    assert "no line of headers" in found.text


def test_fewer_headers_than_values(adopt):
    """The last columns have no name, as R writes its files."""
    found = adopt(csv="a,b\n1,2,3\n4,5,6\n")
    assert found.column("column_3") == [3, 6]


def test_ragged_rows(adopt):
    """A short row is filled up and told; a long one is wrong, with its line."""
    found = adopt(csv="a,b,c\nx,y,z\nu,v\nk,l,m,,\n\n")
    assert found.column("c") == ["z", None, "m"]
    assert "1 short rows were filled up with nothing, the first on line 3" in found.text
    with pytest.raises(SetupError, match=r"things.csv, line 3: has 3 values under 2 headers"):
        adopt(csv="a,b\nx,y\nx,y,z\nu,v\n")
    left = adopt(csv="a,b\nx,y\nx,y,z\nu,v\n", skip_bad=True)
    assert left.column("a") == ["x", "u"]
    assert [(bad.line, bad.reason) for bad in left.rejected] == [
        (3, "has 3 values under 2 headers")
    ]


def test_lines_are_counted_as_an_editor_does(adopt):
    """Also behind values of several lines."""
    with pytest.raises(SetupError, match="line 5:"):
        adopt(csv='a,b\n"1\n2\n",y\n5,6,7\n')


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (["1", "-2", "0"], "integer", [1, -2, 0]),
        (["9223372036854775807", "1"], "integer", [2**63 - 1, 1]),
        (["9223372036854775808", "1"], "text", ["9223372036854775808", "1"]),
        (["007", "042"], "text", ["007", "042"]),
        (["1.5", "2"], "number", [1.5, 2.0]),
        (["1e5", "2.5"], "number", [1e5, 2.5]),
        (["12.50", "3.00"], "decimal", [Decimal("12.50"), Decimal("3.00")]),
        (["1,5", "2,25"], "number", [1.5, 2.25]),
        (["1,234.5", "12"], "number", [1234.5, 12.0]),
        (["1.234.567,5", "1,5"], "number", [1234567.5, 1.5]),
        (["1,234,567", "5"], "integer", [1234567, 5]),
        (["1,234", "5,678"], "text", ["1,234", "5,678"]),
        (["1'234.5", "2"], "number", [1234.5, 2.0]),
        (["$5", "$1,234.50"], "decimal", [Decimal("5.00"), Decimal("1234.50")]),
        (["12,50 €", "-3,00 €"], "decimal", [Decimal("12.50"), Decimal("-3.00")]),
        (["0.12345678901234567", "1.5"], "decimal", None),
        (["2026-05-01", "1999-12-31"], "date", [dt.date(2026, 5, 1), dt.date(1999, 12, 31)]),
        (["2026-02-30", "2026-02-01"], "text", ["2026-02-30", "2026-02-01"]),
        (["1.5.2026", "31.12.1999"], "date", [dt.date(2026, 5, 1), dt.date(1999, 12, 31)]),
        (["5/1/2026", "12/31/1999"], "date", [dt.date(2026, 5, 1), dt.date(1999, 12, 31)]),
        (["1/5/2026", "31/12/1999"], "date", [dt.date(2026, 5, 1), dt.date(1999, 12, 31)]),
        (["1/5/2026", "2/6/2026"], "text", ["1/5/2026", "2/6/2026"]),
        (["2026-05-01 12:30:00", "2026-05-01T01:02"], "datetime",
         [dt.datetime(2026, 5, 1, 12, 30, tzinfo=dt.UTC),
          dt.datetime(2026, 5, 1, 1, 2, tzinfo=dt.UTC)]),
        (["2026-05-01T12:30:00+02:00", "2026-05-01T12:30:00Z"], "datetime",
         [dt.datetime(2026, 5, 1, 10, 30, tzinfo=dt.UTC),
          dt.datetime(2026, 5, 1, 12, 30, tzinfo=dt.UTC)]),
        (["12:30", "23:59:59"], "time", [dt.time(12, 30), dt.time(23, 59, 59)]),
        (["true", "False"], "boolean", [True, False]),
        (["yes", "No"], "boolean", [True, False]),
        (["y", "y"], "text", ["y", "y"]),
        (["true", "yes"], "text", ["true", "yes"]),
        (["12", "abc"], "text", ["12", "abc"]),
        (["=1+1", "@x"], "text", ["=1+1", "@x"]),
        (["  spaces  ", "x"], "text", ["  spaces  ", "x"]),
    ],
    ids=str,
)  # fmt: skip
def test_types(adopt, tmp_path, values, kind, expected):
    """What fits every value, and is not to be read in two ways; else it stays text."""
    with (tmp_path / "given.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["v", "w"], *([value, "x"] for value in values)])
    found = adopt(tmp_path / "given.csv")
    assert found["Given.v"].kind == kind
    if expected is not None:
        assert found.column("v") == expected


def test_words_for_nothing_where_nothing_else_is_text(adopt):
    """Beside numbers and dates NULL is nothing; in a column of text it is a text."""
    found = adopt(csv="n,day,t\n1,2026-05-01,NA\nNULL,N/A,x\n3,-,y\n")
    assert found.column("n") == [1, None, 3]
    assert found.column("day") == [dt.date(2026, 5, 1), None, None]
    assert found.column("t") == ["NA", "x", "y"]
    assert "'NA' kept as text" in found.text


def test_few_values_that_come_again_are_an_enum(adopt):
    """With names that Python takes, and labels as the source has them."""
    lines = "\n".join(f"t{n},{rating}" for n in range(10) for rating in ("PG-13", "R", "18+"))
    found = adopt(csv=f"title,rating\n{lines}\n")
    assert found["Thing.rating"].kind == "choice"
    assert 'PG_13 = "PG-13"' in found.text
    assert 'N18 = "18+"' in found.text
    assert found.column("rating")[:3] == ["PG-13", "R", "18+"]


def test_a_few_misfits_are_told_and_may_be_left_out(adopt):
    """Without --skip-bad nothing is lost: the column stays text."""
    lines = [*map(str, range(100)), "oops", *map(str, range(100))]
    text = "n,x\n" + "".join(f"{line},a\n" for line in lines)
    found = adopt(csv=text)
    assert found.column("n") == lines
    assert "1 of 201 values is no number: 'oops', line 102; kept as text" in found.text
    left = adopt(csv=text, skip_bad=True)
    assert left.column("n") == [int(line) for line in lines if line != "oops"]
    assert [(bad.line, bad.column) for bad in left.rejected] == [(102, "n")]


def test_nul_in_a_text_is_told_with_its_line(adopt):
    """No database of ours keeps it."""
    with pytest.raises(SetupError, match=r"things.csv, line 2002, b: 'x.x00' holds a NUL"):
        adopt(csv=b"a,b\n" + b"k,v\n" * 2000 + b"k,x\0\n" + b"k,v\n")


def test_several_files_refer_to_each_other(adopt, tmp_path):
    """By name and because every value is there; what is nearly so is told."""
    (tmp_path / "authors.csv").write_text("id,name\n1,Ann\n2,Bob\n")
    (tmp_path / "books.csv").write_text("id,title,author_id,editor_id\n7,A,1,1\n8,B,2,\n9,C,1,2\n")
    (tmp_path / "reviews.csv").write_text("book_id,stars\n7,5\n9,4\n99,1\n")
    found = adopt(*(tmp_path / f"{name}.csv" for name in ("reviews", "books", "authors")))
    assert "author: Mapped[Author] = belongs_to()" in found.text
    assert [row["author_id"] for row in found.rows["Book"]] == [1, 2, 1]
    assert found["Review.book_id"].link is None
    assert "like a id of books, but 1 are not there: '99', line 4" in found.text
    assert [row["id"] for row in found.rows["Book"]] == [7, 8, 9]


def test_a_natural_key_that_others_refer_to(adopt, tmp_path):
    """A code that never repeats becomes the key, as a good engineer would have it."""
    (tmp_path / "airports.csv").write_text("iata,name\nZRH,Zurich\nBSL,Basel\n")
    (tmp_path / "runways.csv").write_text("airport_iata,length\nZRH,3700\nZRH,2500\n")
    found = adopt(tmp_path / "runways.csv", tmp_path / "airports.csv")
    assert found["Airport.iata"].key
    assert [row["airport_iata_id"] for row in found.rows["Runway"]] == ["ZRH", "ZRH"]


def test_rows_refer_to_rows_of_their_own_table(adopt):
    """Also to later ones."""
    found = adopt(csv="id,name,parent_id\n1,a,2\n2,b,\n3,c,1\n")
    assert 'parent: Mapped["Thing | None"] = belongs_to()' in found.text
    assert found.column("parent_id") == [2, None, 1]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "new.from.empty"),
        (b"\n\n  \n", "new.from.empty"),
        (b"a,b,c\n", "new.from.rows"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)) * 9, "new.from.binary"),
        (b'a,b\n1,"2\n' + b"x" * 5_000_000, "new.from.csv"),
        (",".join(f"c{n}" for n in range(2000)).encode() + b"\n" + b"1," * 1999 + b"1\n",
         "new.from.columns"),
    ],
    ids=["empty", "blank", "header", "binary", "quote", "2000-columns"],
)  # fmt: skip
def test_what_is_no_table_is_refused(adopt, content, code):
    """With a letter."""
    with pytest.raises(SetupError) as error:
        adopt(csv=content)
    assert error.value.code == code


def test_real_files(adopt, vega):
    """Every cell of the package's CSV files, compared with another reading."""
    for name in ("airports", "seattle-weather", "la-riots", "us-employment", "stocks", "sf-temps"):
        path = vega / f"{name}.csv"
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        found = adopt(path)
        assert len(found.only) == len(rows)
        (made,) = found.drafts
        for column in made.columns:
            for mine, theirs in zip(found.only, rows, strict=True):
                assert same(mine[column.name], theirs[column.source]), (name, column.source)


def same(mine, text):
    """Tell whether a value says what a cell says."""
    if mine is None:
        return text in ("", "NA")
    if isinstance(mine, dt.datetime):
        return mine == dt.datetime.fromisoformat(text.replace("/", "-")).replace(tzinfo=dt.UTC)
    if isinstance(mine, dt.date):
        return mine == dt.date.fromisoformat(text.replace("/", "-"))
    if isinstance(mine, (int, float, Decimal)):
        return Decimal(str(mine)) == Decimal(text)
    return mine == text
