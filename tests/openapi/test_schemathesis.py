"""Schemathesis against the document: nothing undocumented, no 5xx, what is wrong is refused."""

import pytest
from hypothesis import HealthCheck, given, settings

schemathesis = pytest.importorskip("schemathesis")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

EXAMPLES = 12  # per operation and mode; bin/test --long asks for more

OPERATIONS = [
    (verb, path)
    for name in ("writers", "volumes", "opinions")
    for verb, path in (
        ("GET", f"/api/{name}"), ("POST", f"/api/{name}"), ("GET", f"/api/{name}/{{key}}"),
        ("PATCH", f"/api/{name}/{{key}}"), ("PUT", f"/api/{name}/{{key}}"),
        ("DELETE", f"/api/{name}/{{key}}"),
    )
]  # fmt: skip


@pytest.fixture
def schema(views, rows):
    """The document, asked for by the staff."""
    from library_app import STAFF

    from carboy.engine.asking import ENVIRON

    def as_staff(environ, start_response):
        environ[ENVIRON] = STAFF
        return views.wsgi_app(environ, start_response)

    return schemathesis.openapi.from_wsgi("/api/openapi.json", as_staff)


@pytest.mark.parametrize("mode", ["positive", "negative"])
@pytest.mark.parametrize(("verb", "path"), OPERATIONS)
def test_every_operation(schema, verb, path, mode):
    """With what the document allows, and with what it does not."""
    operation = schema[path][verb]
    strategy = operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode))
    # A cursor, a tag and a reference are what the server gave, which no schema says.
    left_out = [schemathesis.checks.positive_data_acceptance]
    if verb == "GET":
        # Queries are read as forms send them: an empty value asks for nothing, "1" is true,
        # and a quoted value of a list may have a comma. test_rest.py has what is refused.
        left_out.append(schemathesis.checks.negative_data_rejection)

    @settings(max_examples=EXAMPLES, deadline=None, database=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(case=strategy)
    def ask(case):
        answer = case.call()
        refused = answer.status_code == 413  # too many at once: schemathesis expects a 422
        more = [schemathesis.checks.negative_data_rejection] if refused else []
        case.validate_response(answer, excluded_checks=[*left_out, *more])

    ask()
