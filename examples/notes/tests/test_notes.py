"""Who sees what in notes: asked by requests, as people would."""

import os
import subprocess
from pathlib import Path

import pytest
from app import Membership, Note, Notebook, Person

HERE = Path(__file__).parents[1]


@pytest.fixture
def ada(make):
    """Somebody who keeps a notebook."""
    return make(Person, name="Ada")


@pytest.fixture
def bob(make):
    """Somebody else."""
    return make(Person, name="Bob")


@pytest.fixture
def trips(make, ada):
    """Ada's notebook, with two notes."""
    notebook = make(Notebook, title="Trips", keeper=ada)
    make(Note, text="Rome in May", notebook=notebook, author=ada)
    make(Note, text="Café de Flore", notebook=notebook, author=ada)
    return notebook


def test_my_notebooks_are_mine(as_user, ada, bob, trips):
    assert as_user(ada).get("/notebooks").json == [
        {"id": trips.id, "title": "Trips", "keeper": {"name": "Ada"}}
    ]
    assert as_user(bob).get("/notebooks").json == []
    assert as_user(bob).get(f"/notebooks/{trips.id}/notes").status_code == 404


def test_a_visitor_sees_nothing_and_writes_nothing(client, trips):
    assert client.get("/notebooks").status_code == 401
    assert client.post("/notebooks", json={"text": "Mine"}).status_code == 401
    assert client.post(f"/notebooks/{trips.id}/notes", json={"text": "hi"}).status_code == 401


def test_shared_to_read(make, as_user, ada, bob, trips):
    make(Person, name="Eve")
    path = f"/notebooks/{trips.id}"
    assert as_user(ada).post(f"{path}/members?name=Bob").status_code == 201

    assert len(as_user(bob).get(f"{path}/notes").json) == 2
    assert as_user(bob).post(f"{path}/notes", json={"text": "hello"}).status_code == 403
    assert as_user(bob).post(f"{path}/members?name=Eve&writes=true").status_code == 403


def test_shared_to_write(make, as_user, bob, trips):
    make(Membership, notebook=trips, person=bob, writes=True)
    path = f"/notebooks/{trips.id}/notes"

    added = as_user(bob).post(path, json={"text": "from Bob"})

    assert added.status_code == 201
    first = as_user(bob).get(path).json[0]
    assert (first["text"], first["author"]) == ("from Bob", {"name": "Bob"})


def test_nobody_is_let_in_twice(as_user, ada, bob, trips):
    path = f"/notebooks/{trips.id}/members?name=Bob"
    as_user(ada).post(path)

    again = as_user(ada).post(path)

    assert again.status_code == 409
    assert again.json["detail"] == "This person is a member already."


def test_words_are_found_without_their_accents(as_user, ada, trips):
    path = f"/notebooks/{trips.id}/notes"
    found = [note["text"] for note in as_user(ada).get(path, query_string={"q": "cafe flo*"}).json]
    assert found == ["Café de Flore"]


def test_pages_follow_each_other(make, as_user, ada, trips, queries):
    make(Note, 30, notebook=trips, author=ada)
    client = as_user(ada)

    with queries(at_most=2):  # the notebook, the page
        first = client.get(f"/notebooks/{trips.id}/notes")
    second = client.get(first.headers["Link"].split(">")[0].strip("<"))

    ids = [note["id"] for note in (*first.json, *second.json)]
    assert len(ids) == 32
    assert ids == sorted(ids, reverse=True)


def test_what_the_model_forbids_is_told(as_user, ada, trips):
    answer = as_user(ada).post(f"/notebooks/{trips.id}/notes", json={"text": "x" * 3000})
    assert answer.status_code == 422
    assert answer.json["errors"][0]["msg"] == "Text must have at most 2000 characters."


def test_signing_in(client):
    client.post("/sign-in", query_string={"name": "Eve"})
    assert client.post("/notebooks", json={"text": "Diary"}).status_code == 201
    assert [book["title"] for book in client.get("/notebooks").json] == ["Diary"]


def test_models_and_migrations_agree(tmp_path):
    """What CI asks: nobody forgot `carboy db make`."""
    environ = {**os.environ, "CARBOY_DATABASE_URL": f"sqlite:///{tmp_path}/notes.db"}
    for command in ("upgrade", "check"):
        done = subprocess.run(
            ["carboy", "db", command], cwd=HERE, env=environ, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
