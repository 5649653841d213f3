"""PostgreSQL and MariaDB: tables by reflection, rows in one reading."""

import datetime as dt
import uuid
from decimal import Decimal

import pytest
from sqlalchemy import make_url, text

from carboy.data.engines import engine_for

pytestmark = [pytest.mark.slow, pytest.mark.server]

COMMON = [
    "create table authors (id bigint primary key, name varchar(80) not null, unique (name))",
    (
        "create table books (isbn varchar(13) primary key, title text not null,"
        " price numeric(10,2) not null, weight double precision, published date,"
        " author_id bigint not null references authors (id),"
        " foreign key (author_id) references authors (id))"
    ),
    (
        "create table stock (isbn varchar(13) not null, place varchar(20) not null,"
        " pieces int not null, primary key (isbn, place),"
        " foreign key (isbn) references books (isbn))"
    ),
    "create table `order` (`select` int not null, `größe` varchar(9))",
    "create view cheap as select * from books where price < 5",
    "insert into authors values (1, 'Jane'), (9000000000, 'Zoë')",
    (
        "insert into books values ('1', 'Emma', 9.90, 1.5, '1815-12-23', 1),"
        " ('2', 'Äther', 0.05, null, null, 9000000000)"
    ),
    "insert into stock values ('1', 'Bern', 3), ('1', 'Basel', 0), ('2', 'Bern', 7)",
    "insert into `order` values (1, 'x'), (2, null)",
]
POSTGRESQL = [
    "create type mood as enum ('fine', 'so so')",
    (
        "create table odd (id uuid primary key, at timestamptz, local timestamp, tags text[],"
        " about jsonb, mood mood, raw bytea, span interval, yes boolean, net inet,"
        " big numeric(40,0))"
    ),
    (
        "insert into odd values ('6f8b1c1e-0000-4000-8000-000000000001', '2026-05-01 12:00+02',"
        " '2026-05-01 12:00', array['a','b'], '{\"a\": [1, null]}', 'so so', '\\x00ff',"
        " '1 day 02:00', true, '10.0.0.1/8', 123456789012345678901234567890)"
    ),
]
MARIADB = [
    (
        "create table odd (id int unsigned primary key auto_increment, yes tinyint(1),"
        " mood enum('fine', 'so so'), at datetime(6), about json, raw blob,"
        " y year, big bigint unsigned, clock time)"
    ),
    (
        "insert into odd values (7, 1, 'so so', '2026-05-01 12:00:00.5', '{\"a\": 1}', x'00ff',"
        " 1999, 18446744073709551615, '12:30:00')"
    ),
]


def fill(address, name, statements, quote):
    """Make a database of its own on the server, fill it, and return its address."""
    server = engine_for(address, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"create database {name}"))
    server.dispose()
    url = make_url(address).set(database=name)
    engine = engine_for(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement.replace("`", quote))
    engine.dispose()
    return url.render_as_string(hide_password=False)


def check_common(found):
    assert [row["name"] for row in found.rows["Author"]] == ["Jane", "Zoë"]
    assert [
        (b["isbn"], b["title"], b["price"], b["weight"], b["published"], b["author_id"])
        for b in found.rows["Book"]
    ] == [
        ("1", "Emma", Decimal("9.90"), 1.5, dt.date(1815, 12, 23), 1),
        ("2", "Äther", Decimal("0.05"), None, None, 9000000000),
    ]
    stock = [(row["isbn_id"], row["place"], row["pieces"]) for row in found.rows["Stock"]]
    assert sorted(stock) == [("1", "Basel", 0), ("1", "Bern", 3), ("2", "Bern", 7)]
    orders = next(rows for name, rows in found.rows.items() if "Order" in name)
    assert [(row["select"], row["groesse"]) for row in orders] == [(1, "x"), (2, None)]
    assert any("cheap is a view" in note for note in found.notes)
    for line in (
        "author: Mapped[Author] = belongs_to()",
        "isbn: Mapped[str] = field(max_length=13, key=True)",
        "price: Mapped[Decimal] = field(digits=10)",
        'constraints = (unique("isbn", "place"),)',
    ):
        assert line in found.text


def test_postgresql(pg, adopt):
    found = adopt(fill(pg, "adopt_from", [*COMMON, *POSTGRESQL], '"'))
    check_common(found)
    (odd,) = found.rows["Odd"]
    assert odd["id"] == uuid.UUID("6f8b1c1e-0000-4000-8000-000000000001")
    assert odd["at"] == dt.datetime(2026, 5, 1, 10, tzinfo=dt.UTC)
    assert odd["local"] == dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)
    assert (odd["tags"], odd["about"]) == (["a", "b"], {"a": [1, None]})
    assert (odd["mood"], odd["raw"], odd["yes"]) == ("so so", b"\x00\xff", True)
    assert (odd["span"], odd["net"]) == ("1 day, 2:00:00", "10.0.0.1/8")
    assert odd["big"] == "123456789012345678901234567890"


def test_mariadb(mariadb, adopt):
    found = adopt(fill(mariadb, "adopt_from", [*COMMON, *MARIADB], "`"))
    check_common(found)
    (odd,) = found.rows["Odd"]
    assert (odd["id"], odd["yes"], odd["mood"], odd["y"]) == (7, True, "so so", 1999)
    assert odd["at"] == dt.datetime(2026, 5, 1, 12, 0, 0, 500_000, tzinfo=dt.UTC)
    assert (odd["about"], odd["raw"]) == ({"a": 1}, b"\x00\xff")
    assert odd["big"] == "18446744073709551615"
    assert "12:30" in str(odd["clock"])
