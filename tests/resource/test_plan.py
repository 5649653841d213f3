"""The plan: what follows from a model, and what is refused at once."""

import pytest

from carboy.base.errors import RequestFault, SetupError
from carboy.resource.declared import Resource, declare
from carboy.resource.plan import make, title_of


def plan_of(model, *others, **options):
    known = {model: declare(model, options)}
    known |= {other: declare(other, {}) for other in others}
    return make(known[model], known)


def test_lists_show_the_title_and_short_fields(models):
    """Not the key, not long text, and what keeps itself comes last."""
    plan = plan_of(models.Book, models.Author)
    names = [one.name for one in plan.columns]
    assert names == ["title", "author_id", "price_cents", "binding", "published", "out_on"]
    assert plan.title == "title"


def test_a_reference_is_shown_by_the_title_of_its_row(models):
    plan = plan_of(models.Book, models.Author)
    author = plan.columns[1]
    assert (author.label, author.path, author.key) == ("Author", "author.name", "author.id")
    assert author.target.model is models.Author


def test_what_nobody_may_send_is_in_no_form(models):
    """Keys, what keeps itself, and who owns a row are never a client's to say."""
    assert plan_of(models.Review).create == ("book_id", "stars", "text")
    writable = plan_of(models.Book).create
    assert not {"id", "version", "created_at", "updated_at"} & set(writable)


def test_what_is_hidden_or_protected_is_no_name_for_lists(models):
    """Sorting or filtering by a column tells what is in it."""
    plan = plan_of(models.Book)
    assert "secret" not in plan.fields
    for names in (plan.sorts.names, plan.filters.names):
        assert "secret" not in names
        assert "cost_cents" not in names
        assert "title" in names


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"columns": ("nope",)}, "resources.field"),
        ({"fields": ("secret",)}, "resources.field"),
        ({"sorts": ("cost_cents",)}, "data.not_public"),
    ],
    ids=["unknown", "hidden", "protected"],
)
def test_a_name_that_cannot_be_is_refused(models, options, code):
    with pytest.raises(SetupError) as error:
        plan_of(models.Book, **options)
    assert error.value.code == code


def test_an_option_that_does_not_exist_names_the_nearest(models):
    with pytest.raises(SetupError, match="Did you mean 'columns'") as error:
        declare(models.Book, {"column": ("title",)})
    assert error.value.code == "resources.option"


def test_only_models_are_resources():
    with pytest.raises(SetupError) as error:
        declare(int, {})
    assert error.value.code == "resources.model"


def test_a_class_says_more(models):
    """Options may be members of a class, and its methods are used."""

    class Books(Resource):
        model = models.Book
        columns = ("title",)

    made = declare(Books, {"size": 5})
    plan = make(made, {models.Book: made})
    assert [one.name for one in plan.columns] == ["title"]
    assert plan.size == 5
    assert (plan.path, plan.name, plan.singular, plan.plural) == (
        "/books",
        "books",
        "book",
        "books",
    )


@pytest.mark.parametrize("text", ["0x1", "007", "+7", "7.0", "", "x", "9" * 30, "1,2", "½", "٧"])
def test_a_key_that_no_row_can_have_is_absent(models, text):
    """Each row has one address."""
    with pytest.raises(RequestFault) as error:
        plan_of(models.Book).read_key(text)
    assert error.value.status == 404


@pytest.mark.parametrize("key", [0, 7, -3, 2**62])
def test_keys_come_back_from_addresses(models, key):
    plan = plan_of(models.Book)
    assert plan.read_key(plan.key_text(type("Row", (), {"id": key}))) == key


def test_the_title_of_a_model_without_any_is_its_key(models):
    assert title_of(models.Review) == "id"
