"""What a visitor of the site can rely on."""

import io

import pytest


@pytest.mark.parametrize(
    ("litres", "answer"),
    [
        pytest.param("7", "7 litres fit into a", id="fits"),
        pytest.param("0.5", "0.5 litres fit into a", id="fraction"),
        pytest.param("80", "Nothing here holds 80 litres", id="too much"),
    ],
)
def test_home_finds_the_smallest_vessel(client, litres, answer):
    """The answer names the vessel, or says what to do instead."""
    assert answer in client.get(f"/?litres={litres}").text


def test_home_without_a_question_shows_the_shelf(client):
    """Every vessel is there, with a link to its own page."""
    page = client.get("/").text

    for slug in ("flask", "jug", "demijohn", "carboy", "barrel"):
        assert f'href="/vessels/{slug}"' in page


def test_a_vessel_has_a_page(client):
    """Pages share one frame; the title says where one is."""
    response = client.get("/vessels/carboy")

    assert response.status_code == 200
    assert "<title>Carboy: Hello, Carboy</title>" in response.text
    assert "19 litres" in response.text


def test_an_unknown_vessel_is_a_page_that_leads_on(client):
    """404 names what was asked for, escaped, and offers the way back."""
    response = client.get("/vessels/<b>bath")

    assert response.status_code == 404
    assert "&lt;b&gt;bath" in response.text
    assert 'href="/"' in response.text


def test_json_lists_the_shelf(client):
    """Pydantic models become JSON as they are."""
    response = client.get("/api/vessels")

    assert response.mimetype == "application/json"
    assert [each["name"] for each in response.json][:2] == ["Flask", "Jug"]


def test_json_fit_reads_its_parameter_from_the_query(client):
    """The annotation is the whole declaration."""
    assert client.get("/api/fit?litres=5").json["name"] == "Carboy"


@pytest.mark.parametrize("query", ["", "?litres=much", "?litres=-1", "?litres=nan"])
def test_json_fit_answers_a_wrong_number_with_422(client, query):
    """A problem document says which parameter is wrong."""
    response = client.get(f"/api/fit{query}", headers={"Accept": "application/json"})

    assert response.status_code == 422
    assert "litres" in response.text


def test_json_fit_without_a_vessel_is_404_as_json(client):
    """API clients get no HTML."""
    response = client.get("/api/fit?litres=90", headers={"Accept": "application/json"})

    assert response.status_code == 404
    assert response.mimetype.endswith("json")


def test_a_note_is_kept_and_thanked_for(client):
    """After the post a redirect: reloading the page does not post again."""
    response = client.post("/notes", data={"name": " Ines ", "text": "A <i>good</i> shelf."})
    page = client.get(response.location).text

    assert response.status_code == 303
    assert "Thank you, Ines." in page
    assert "A &lt;i&gt;good&lt;/i&gt; shelf." in page
    assert "Thank you" not in client.get("/notes").text


def test_a_wrong_note_is_shown_again_with_what_to_do(client):
    """What was typed stays; each error is beside its field and in the summary."""
    response = client.post("/notes", data={"name": "Ines & Jan", "text": "  "})

    assert response.status_code == 422
    assert 'value="Ines &amp; Jan"' in response.text
    assert response.text.count("Write 1 to 500 characters") == 2
    assert "<title>1 to correct, Guest book" in response.text


def test_an_upload_is_counted(client):
    """The file is read and described."""
    data = {"file": (io.BytesIO(b"two words\nand three more\n"), "poem.txt")}

    page = client.post("/count", data=data).text

    assert "poem.txt" in page
    assert "<dd>5</dd>" in page


@pytest.mark.parametrize(
    ("file", "advice"),
    [
        pytest.param(None, "Choose a text file first", id="missing"),
        pytest.param((io.BytesIO(b"\xff\xfe"), "x.bin"), "saved as UTF-8", id="not text"),
    ],
)
def test_a_wrong_upload_says_what_to_choose(client, file, advice):
    """Bad input is the visitor's to mend, never an error of the site."""
    response = client.post("/count", data={"file": file} if file else {})

    assert response.status_code == 422
    assert advice in response.text


def test_the_cellar_asks_all_thermometers(client):
    """An async view is called like any other."""
    page = client.get("/cellar").text

    assert page.count("°C") == 3


def test_the_shelf_can_be_fetched_as_a_file(client):
    """A stream arrives whole and keeps its type."""
    response = client.get("/vessels.csv")

    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.text.startswith("name,litres,use\r\nFlask,1,")
    assert response.text.count("\r\n") == 6


def test_a_failure_shows_nothing_of_the_inside(app):
    """In production the page is clean and the status is 500."""
    app.testing = False
    app.config["PROPAGATE_EXCEPTIONS"] = False

    response = app.test_client().get("/spill")

    assert response.status_code == 500
    assert "dropped" not in response.text


@pytest.mark.parametrize("path", ["/", "/notes", "/count", "/cellar", "/vessels/jug", "/nowhere"])
def test_pages_need_no_exception_from_a_strict_policy(client, path):
    """No inline script, no inline style, no script at all; everything from this site."""
    page = client.get(path).text

    assert "<script" not in page
    assert "style=" not in page
    assert "://" not in page


@pytest.mark.parametrize("sheet", ["tokens", "base", "components", "site"])
def test_the_style_sheets_are_served(client, sheet):
    """Static files lie in static/ and have their type."""
    with client.get(f"/static/{sheet}.css") as response:
        assert response.mimetype == "text/css"
