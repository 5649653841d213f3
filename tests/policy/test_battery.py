"""The battery: what is denied is logged and counted; models state, the application obeys."""

import logging

import pytest
from sqlalchemy.orm import Mapped

from carboy import Carboy, public
from carboy.base.errors import SetupError
from carboy.base.scope import unscoped
from carboy.data import guards, opening
from carboy.data.db import db
from carboy.data.fields import field
from carboy.policy import plug
from carboy.policy.book import Rulebook
from carboy.policy.plug import Guarding
from carboy.policy.policies import Policy
from carboy.policy.rules import everyone, owner, role, signed_in


@pytest.fixture
def notes(base, tmp_path, monkeypatch):
    """An application with a governed model on a base of its own."""

    class Note(base):
        text: Mapped[str] = field(max_length=40)
        writer: Mapped[int]
        policy = Policy(read=everyone, create=signed_in & owner("writer"), delete=role("admin"))

    guard = Guarding(Rulebook(base.registry))
    monkeypatch.setitem(plug._guards, True, guard)
    app = Carboy("app", root_path=str(tmp_path), instance_path=str(tmp_path))
    app.config.update(DATABASE_URL=f"sqlite:///{tmp_path}/notes.db", LOG_LEVEL="critical")
    app.secret_key = "only for tests, and long enough for one"
    with app.app_context(), unscoped("test"):
        base.metadata.create_all(db.engine)
        db.session.add(Note(text="there", writer=1))
        db.session.commit()

    @app.post("/<int:writer>")
    @public
    def add(writer: int):
        with db.transaction():
            db.session.add(Note(text="new", writer=writer))
        return {}

    app.scope_loader(lambda: 1)
    yield app, Note
    app.batteries["data"].close()


def test_a_denial_is_logged_and_counted(notes, caplog):
    app, _ = notes
    client = app.test_client()
    with caplog.at_level(logging.INFO, "carboy.policy"):
        assert client.post("/1").status_code == 200
        assert not caplog.records
        assert client.post("/2").status_code == 403
    (record,) = caplog.records
    assert (record.message, record.action, record.user) == ("policy.denied", "create", "1")
    assert record.code == "policy.create"
    assert "test_battery.py" in record.place
    shown = client.get("/metrics").text
    told = [line for line in shown.splitlines() if line.startswith("carboy_events_total")]
    assert 'carboy_events_total{about="Note",event="policy.denied"} 1.0' in told


@pytest.mark.usefixtures("notes")
def test_unscoped_is_logged_with_its_reason_and_place(caplog):
    with caplog.at_level(logging.INFO, "carboy.policy"), unscoped("nightly count"):
        pass
    (record,) = caplog.records
    assert record.reason == "nightly count"
    assert "test_battery.py" in record.place


def test_a_policy_without_the_battery_is_refused(base, tmp_path, monkeypatch):
    """Rather than not enforced: it is said what to add."""

    class Secret(base):
        policy = Policy(read=role("admin"))

    monkeypatch.setattr(opening, "Model", base)
    app = Carboy("app", batteries=("data",), root_path=str(tmp_path))
    with app.app_context(), pytest.raises(SetupError, match="no policy battery"):
        db.session.get(Secret, 1)
    assert any(f.code == "data.no_policy_battery" for f in app.findings())
    assert guards.declared(base.registry)
