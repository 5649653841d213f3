"""The API of a resource: reading, changing, conditions, and every answer that is none."""

import json
import threading

import pytest

MERGE = "application/merge-patch+json"


def fields(answer):
    """Return {place: type} of the errors of a problem document."""
    assert answer.mimetype == "application/problem+json"
    return {".".join(map(str, one["loc"])): one["type"] for one in answer.json.get("errors", ())}


# Reading


def test_a_list(ask, rows):
    """Items, newest first, moments as RFC 3339; nothing hidden."""
    answer = ask("GET", "/api/volumes")
    assert answer.status_code == 200
    titles = [one["title"] for one in answer.json["items"]]
    assert titles == ["Sanditon", "Persuasion", "Emma"]
    assert answer.json["next"] is None
    assert answer.json["items"][0]["created_at"].endswith("Z")
    assert "note" not in ask("GET", "/api/writers").json["items"][0]


def test_only_what_is_asked_for(ask, rows):
    """Fields, also of what a row refers to; whole rows on either side of a relation."""
    found = ask("GET", "/api/volumes?fields=title,writer.name&q=emma").json["items"]
    assert found == [{"title": "Emma", "writer": {"name": "Jane"}}]
    one = ask("GET", f"/api/writers/{rows['jane']}?include=volumes").json
    assert [book["title"] for book in one["volumes"]] == ["Emma", "Persuasion", "Sanditon"]
    one = ask("GET", f"/api/volumes/{rows['emma']}?include=writer,opinions").json
    assert one["writer"]["name"] == "Jane"
    assert one["opinions"] == []  # there is one, of somebody else


@pytest.mark.parametrize(
    ("query", "status", "name"),
    [
        ("fields=nix", 400, "query.fields"),
        ("fields=writer.note", 400, "query.fields"),
        ("fields=opinions.volume.title", 400, "query.fields"),
        ("include=nix", 400, "query.include"),
        ("include=writer.volumes", 400, "query.include"),
        ("nix=1", 400, "query.nix"),
        ("price_cents.nix=1", 400, "query.price_cents.nix"),
        ("price_cents=x", 422, "query.price_cents"),
        ("sort=nix", 400, "query.sort"),
        ("size=0", 422, "query.size"),
        ("size=101", 422, "query.size"),
        ("cursor=1forged", 400, "query.cursor"),
        ("size=1&size=2", 400, "query.size"),
    ],
)
def test_what_a_list_is_not_asked(ask, rows, query, status, name):
    """A problem that names the parameter, for a browser too."""
    answer = ask("GET", f"/api/volumes?{query}", headers={"Accept": "text/html,*/*;q=0.1"})
    assert answer.status_code == status
    assert name in fields(answer)


def test_pages(ask, rows):
    """Both ways, by the links of the body and of the header; filters stay."""
    seen, url = [], "/api/volumes?size=1&sort=title&price_cents.le=800"
    while url:
        answer = ask("GET", url)
        seen += [one["title"] for one in answer.json["items"]]
        url = answer.json["next"]
        assert (f'<{url}>; rel="next"' in answer.headers.get("Link", "")) is bool(url)
        last = answer
    assert seen == ["Persuasion", "Sanditon"]
    assert ask("GET", last.json["prev"]).json["items"][0]["title"] == "Persuasion"
    assert (
        ask("GET", "/api/writers?cursor=" + last.json["prev"].split("cursor=")[1]).status_code
        == 400
    )


def test_one_row(ask, ada, bob, rows):
    """What is hidden is not there."""
    path = f"/api/opinions/{rows['opinion']}"
    assert ada("GET", path).json["text"] == "Good"
    for client in (ask, bob):
        assert client("GET", path).status_code == 404
        assert client("GET", "/api/opinions").json["items"] == []
    for key in ("0", "x", "1.0", "01", "9" * 30, "-1"):
        assert ask("GET", f"/api/volumes/{key}").status_code == 404


def test_a_hidden_field_is_nobodys(ask, staff, rows):
    """Neither its value nor an order by it."""
    path = f"/api/writers/{rows['jane']}"
    assert ask("GET", path).json["secret"] is None
    assert staff("GET", path).json["secret"] is False
    assert ask("GET", "/api/writers?sort=secret").status_code == 400
    assert ask("GET", "/api/writers?secret=true").status_code == 400


def test_head_and_options(ask, rows):
    """HEAD has the headers of GET; OPTIONS says the methods, and what PATCH takes."""
    path = f"/api/volumes/{rows['emma']}"
    head, get = ask("HEAD", path), ask("GET", path)
    assert head.data == b""
    assert head.headers["ETag"] == get.headers["ETag"]
    options = ask("OPTIONS", path)
    assert options.headers["Allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"
    assert MERGE in options.headers["Accept-Patch"]
    for url, method in ((path, "POST"), ("/api/volumes", "DELETE")):
        answer, options = ask(method, url), ask("OPTIONS", url)
        assert answer.status_code == 405
        assert {*answer.headers["Allow"].split(", ")} == {*options.headers["Allow"].split(", ")}


@pytest.mark.parametrize(
    ("accept", "status"),
    [("text/html", 406), ("application/json;q=0, */*", 406), ("image/*", 406), ("*/*", 200),
     ("application/*;q=0.1", 200), ("text/html,*/*;q=0.8", 200)],
)  # fmt: skip
def test_who_takes_no_json(ask, rows, accept, status):
    """406 where JSON is excluded."""
    assert ask("GET", "/api/volumes", headers={"Accept": accept}).status_code == status


@pytest.mark.parametrize("path", ["/api/volumes", "/api/volumes?size=1", "/api/volumes/{emma}"])
def test_not_modified(ask, staff, rows, path):
    """The tag is good until something changes, and it is one's own."""
    path = path.format(**rows)
    tag = ask("GET", path).headers["ETag"]
    for given in (tag, f'"x", W/{tag}', "*"):
        again = ask("GET", path, headers={"If-None-Match": given})
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["ETag"] == tag
    for title in ("Emma", "Sanditon"):
        staff("PATCH", f"/api/volumes/{rows[title.lower()]}", {"title": f"{title}!"})
    assert ask("GET", path, headers={"If-None-Match": tag}).status_code == 200


# Creating


def new(rows, **more):
    """Return a good new volume."""
    return {"title": "Lady Susan", "price_cents": 500, "writer_id": rows["jane"], **more}


def test_create(staff, rows):
    """201, where it is, its tag and what it is now."""
    answer = staff("POST", "/api/volumes", new(rows, binding="cloth", code="abc"))
    assert answer.status_code == 201
    shown = staff("GET", answer.headers["Location"])
    assert shown.json == answer.json
    assert shown.headers["ETag"] == answer.headers["ETag"]
    assert answer.json["binding"] == "cloth"


def test_create_and_show_nothing(staff, rows):
    """As preferred."""
    answer = staff("POST", "/api/volumes", new(rows), headers={"Prefer": "return=minimal"})
    key = answer.headers["Location"].rpartition("/")[2]
    assert (answer.status_code, answer.json) == (201, {"keys": [key]})
    assert answer.headers["Preference-Applied"] == "return=minimal"
    assert staff("GET", answer.headers["Location"]).status_code == 200


def test_all_errors_at_once(staff, rows):
    """Each with its place; what is shown and not settable is told apart from what is not."""
    bad = {"title": 5, "price_cents": -1, "id": 3, "nix": 1, "writer_id": None, "binding": "gold"}
    answer = staff("POST", "/api/volumes", bad)
    assert answer.status_code == 422
    assert fields(answer) == {
        "body.title": "type", "body.price_cents": "ge", "body.id": "read_only",
        "body.nix": "unknown", "body.writer_id": "type", "body.binding": "choice",
    }  # fmt: skip
    assert fields(staff("POST", "/api/writers", {"name": "x", "note": "y"})) == {
        "body.note": "unknown"
    }


def test_a_clash(staff, rows):
    """409, and the field."""
    assert staff("POST", "/api/volumes", new(rows, code="abc")).status_code == 201
    answer = staff("POST", "/api/volumes", new(rows, code="abc"))
    assert answer.status_code == 409
    assert fields(answer) == {"body.code": "unique"}


def test_references(ada, staff, rows):
    """To what is absent or hidden: one and the same."""
    hidden = staff("POST", "/api/volumes", new(rows, writer_id=rows["ghost"]))
    assert hidden.status_code == 201  # staff see ghosts
    for key in (10**6, 2**62, -1):
        answer = staff("POST", "/api/volumes", new(rows, writer_id=key))
        assert answer.status_code == 422
        assert fields(answer) == {"body.writer_id": "exists"}


def test_who_may_not(ask, ada, rows):
    """A visitor is told to sign in; somebody else that they may not."""
    answer = ask("POST", "/api/volumes", new(rows))
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Cookie realm=")
    assert ada("POST", "/api/volumes", new(rows)).status_code == 403
    path = f"/api/volumes/{rows['emma']}"
    for method, body in (("PATCH", {"title": "x"}), ("PUT", new(rows)), ("DELETE", None)):
        assert ask(method, path, body).status_code == 401, method
        assert ada(method, path, body).status_code == 403, method


def test_many(staff, rows):
    """All or none, errors with their index, up to a thousand."""
    answer = staff("POST", "/api/volumes", [new(rows, title="A"), new(rows, title="B")])
    assert answer.status_code == 201
    assert [one["title"] for one in answer.json["items"]] == ["A", "B"]
    answer = staff("POST", "/api/volumes", [new(rows), new(rows, title=""), {}, 5])
    assert {"body.2.title", "body.2.price_cents", "body.2.writer_id", "body.3"} <= {*fields(answer)}
    answer = staff("POST", "/api/volumes", [new(rows, code="a"), new(rows, code="a")])
    assert (answer.status_code, fields(answer)) == (409, {"body.1.code": "unique"})
    assert len(staff("GET", "/api/volumes").json["items"]) == 5
    assert staff("POST", "/api/volumes", [{}] * 1001).status_code == 413
    assert staff("POST", "/api/volumes", []).status_code == 422


def test_a_key_for_once(staff, bob, rows):
    """The same answer, told to be one; other content is refused; a failure may be repeated."""
    key = {"headers": {"Idempotency-Key": '"8e03978e-40d5-43dd-bc93-6894a57f9324"'}}
    bad = staff("POST", "/api/volumes", new(rows, price_cents=-1), **key)
    first = staff("POST", "/api/volumes", new(rows), **key)
    again = staff("POST", "/api/volumes", new(rows), **key)
    assert (bad.status_code, first.status_code, again.status_code) == (422, 201, 201)
    assert again.json == first.json
    assert again.headers["Location"] == first.headers["Location"]
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    other = staff("POST", "/api/volumes", new(rows, title="Other"), **key)
    assert (other.status_code, fields(other)) == (422, {"header.Idempotency-Key": "key"})
    assert len(staff("GET", "/api/volumes").json["items"]) == 4


# Changing


def test_a_merge_patch(ada, rows):
    """What is not there stays, null empties, JSON is merged within."""
    path = f"/api/opinions/{rows['opinion']}"
    ada("PATCH", path, {"tags": {"a": 1, "b": {"c": 2}}, "weight": 1.5, "price": "2.50"})
    answer = ada(
        "PATCH", path, data=json.dumps({"tags": {"a": None, "b": {"d": 3}}, "weight": None}),
        content_type=MERGE,
    )  # fmt: skip
    assert answer.status_code == 200
    assert answer.json["tags"] == {"b": {"c": 2, "d": 3}}
    assert (answer.json["weight"], answer.json["price"]) == (None, "2.50")
    assert answer.json["text"] == "Good"


def test_put_resets(staff, rows):
    """What is left out is as in a new row; what must be there, must."""
    path = f"/api/volumes/{rows['emma']}"
    staff("PATCH", path, {"published": 1815, "binding": "cloth"})
    answer = staff("PUT", path, new(rows))
    assert (answer.json["published"], answer.json["binding"]) == (None, "paper")
    assert fields(staff("PUT", path, {"title": "x"})) == {
        "body.price_cents": "required", "body.writer_id": "required",
    }  # fmt: skip
    assert staff("PUT", "/api/volumes/999", new(rows)).status_code == 404


def test_if_match_by_version(staff, rows):
    """One of two changes that were made from the same version is refused, with 412."""
    path = f"/api/volumes/{rows['sanditon']}"
    tag = {"headers": {"If-Match": staff("GET", path).headers["ETag"]}}
    assert staff("PATCH", path, {"title": "One"}, **tag).status_code == 200
    for method, body in (("PATCH", {"title": "Two"}), ("PUT", new(rows)), ("DELETE", None)):
        answer = staff(method, path, body, **tag)
        assert (answer.status_code, fields(answer)) == (412, {"header.If-Match": "etag"})
    assert staff("GET", path).json["title"] == "One"
    assert staff("DELETE", path, headers={"If-Match": "*"}).status_code == 204


def test_if_match_without_a_version(ada, rows):
    """The tag of the whole row."""
    path = f"/api/opinions/{rows['opinion']}"
    tag = {"headers": {"If-Match": ada("GET", path).headers["ETag"]}}
    assert ada("PATCH", path, {"stars": 4}, **tag).status_code == 200
    assert ada("PATCH", path, {"stars": 3}, **tag).status_code == 412
    assert ada("DELETE", path, headers={"If-Match": 'W/"x"'}).status_code == 412
    assert ada("GET", path).json["stars"] == 4


@pytest.mark.slow
def test_if_match_at_the_same_moment(everywhere):
    """Of changes that name one tag exactly one is made, with a version or without."""
    from library_app import ADA, STAFF, Asker, fill

    rows = fill(everywhere)
    for who, path, field in (
        (STAFF, f"/api/volumes/{rows['emma']}", "price_cents"),
        (ADA, f"/api/opinions/{rows['opinion']}", "stars"),
    ):
        tag = Asker(everywhere, who)("GET", path).headers["ETag"]
        found, begin = [], threading.Barrier(4)

        def change(value, who=who, path=path, field=field, tag=tag, begin=begin, found=found):
            begin.wait()
            client = Asker(everywhere, who)
            answer = client("PATCH", path, {field: value}, headers={"If-Match": tag})
            found.append(answer.status_code)

        threads = [threading.Thread(target=change, args=[n]) for n in (1, 2, 3, 4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(found) == [200, 412, 412, 412], path


def test_if_match_may_be_needed(make):
    """Where the option says so, for rows with a version."""
    from library_app import ADA, STAFF, Asker, fill

    app = make(RESOURCE_REQUIRE_IF_MATCH=True)
    rows = fill(app)
    path = f"/api/volumes/{rows['emma']}"
    assert Asker(app, STAFF)("PATCH", path, {"title": "x"}).status_code == 428
    answer = Asker(app, ADA)("PATCH", f"/api/opinions/{rows['opinion']}", {"stars": 1})
    assert answer.status_code == 200


def test_delete(staff, rows):
    """204; what others refer to stays, with 409."""
    path = f"/api/volumes/{rows['sanditon']}"
    assert staff("DELETE", path).status_code == 204
    assert staff("DELETE", path).status_code == 404
    assert staff("DELETE", f"/api/writers/{rows['jane']}").status_code in (204, 409)


# Bodies that are none


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b'{"title": NaN}', 400),
        (b'{"title": "a", "title": "b"}', 400),
        (b'{"title": "\\ud800"}', 400),
        (b'{"title": "\xff"}', 400),
        (b"[" * 100 + b"]" * 100, 400),
        (b'{"price_cents": ' + b"9" * 5000 + b"}", 400),
        (b"5", 422),
        (b"null", 422),
        (b'"text"', 422),
        (b"[[]]", 422),
    ],
)
def test_a_body_that_is_none(staff, rows, body, status):
    """400 for no JSON, or an ambiguous one; 422 for JSON of another shape."""
    for method, path in (("POST", "/api/volumes"), ("PATCH", f"/api/volumes/{rows['emma']}")):
        answer = staff(method, path, data=body, content_type="application/json")
        if method == "PATCH" and body.startswith(b"["):
            assert answer.status_code in (400, 422)
        else:
            assert answer.status_code == status, (method, answer.json)
        assert answer.mimetype == "application/problem+json"


def test_other_types(staff, rows):
    """415 that says what is taken."""
    path = f"/api/volumes/{rows['emma']}"
    answer = staff("PATCH", path, data=b"{}", content_type="text/plain")
    assert answer.status_code == 415
    assert MERGE in answer.headers["Accept-Patch"]
    assert staff("PUT", path, data=b"{}", content_type=MERGE).status_code == 415
    assert staff("POST", "/api/volumes", data={"title": "x"}).status_code == 415
