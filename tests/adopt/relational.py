"""A relational SQLite file of fourteen tables, with most of what SQLite allows."""

import sqlite3
from contextlib import closing

SCHEMA = """
create table artists (ArtistId integer primary key, Name varchar(120) not null);
create table genres (GenreId integer primary key, Name varchar(60) unique);
create table media (code text primary key, label text not null) without rowid;
create table albums (
    AlbumId integer primary key, Title varchar(160) not null,
    ArtistId integer not null references artists, Released date, check (length(Title) > 0)
);
create table tracks (
    TrackId integer primary key, Name text not null, AlbumId int references albums(AlbumId),
    GenreId int references genres, media_code text not null references media(code),
    Milliseconds int not null, Price decimal(10,2) not null, Explicit boolean not null default 0,
    lyrics text
);
create table playlists ("playlist id" integer primary key, name text not null);
create table playlist_track (
    playlist integer not null references playlists, track integer not null references tracks,
    primary key (playlist, track)
) without rowid;
create table employees (
    id integer primary key, "last name" text not null,
    reports_to integer references employees(id), "class" text, hired datetime
);
create table customers (
    id integer primary key, email text not null unique, support integer references employees
);
create table invoices (
    number text, year int, customer integer not null references customers(id),
    total numeric(12,2), primary key (year, number)
);
create table invoice_lines (
    year int not null, number text not null, line int not null,
    track integer not null references tracks(TrackId), price real,
    primary key (year, number, line),
    foreign key (year, number) references invoices (year, number)
);
create table prices (
    track integer not null references tracks, country text not null, price numeric(10,2),
    unique (track, country)
);
create table "odd table!" (a, b blob, "select" text, "ä ö" clob, "metadata" json);
create table users (id integer primary key, name text);
create view cheap as select * from tracks where price < 1;
create virtual table words using fts5 (word);
"""

ROWS = {
    "artists": [(i, f"Artist {i}") for i in range(1, 6)],
    "genres": [(1, "Rock"), (2, "Jazz"), (9, None)],
    "media": [("cd", "CD"), ("lp", "LP")],
    "albums": [
        (i, f"Album {i}", i % 5 + 1, f"20{i:02d}-02-03" if i % 2 else None) for i in range(1, 9)
    ],
    "tracks": [
        (
            i * 7, f"Track {i}", i % 8 + 1, [1, 2, None][i % 3], ["cd", "lp"][i % 2], i * 1000,
            0.99 + i, i % 2, "la\nla" if i % 3 else None,
        )
        for i in range(1, 60)
    ],
    "playlists": [(1, "a"), (2, "b")],
    "playlist_track": [(i % 2 + 1, i * 7) for i in range(1, 60)],
    "employees": [
        (1, "Boss", 3, "x", "2020-01-02 03:04:05"),
        (2, "Worker", 1, None, "2021-01-02 00:00:00"),
        (3, "Chief", None, None, None),
    ],
    "customers": [(i, f"c{i}@x.org", 2) for i in range(1, 5)],
    "invoices": [(f"N{i}", 2020 + i % 2, i % 4 + 1, i * 1.5) for i in range(1, 20)],
    "invoice_lines": [(2020 + i % 2, f"N{i}", 1, 7, 1.25) for i in range(1, 20)],
    "prices": [(7, "de", 1.1), (7, "at", None), (14, "de", 3)],
    "odd table!": [
        (1, b"\x00\xff", "x", "long", '{"a": 1}'),
        ("two", None, "", "y", None),
        (3.5, b"", None, None, '{"b": [1, 2]}'),
    ],
    "users": [(1, "a"), (2, "b")],
}  # fmt: skip


def build(path):
    """Write the file, and return its path."""
    with closing(sqlite3.connect(path)) as con, con:
        con.executescript(SCHEMA)
        for table, rows in ROWS.items():
            marks = ",".join("?" * len(rows[0]))
            con.executemany(f'insert into "{table}" values ({marks})', rows)
    return path
