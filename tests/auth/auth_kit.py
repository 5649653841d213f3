"""What tests of accounts share; imported by name."""

import threading

WORDS = "a crate of green glass"  # the password of everybody here
SECRET = "only for tests, and long enough for one"


def batteries():
    """Return new ones; by name, each would be looked for among all installed packages.

    Without csrf and access, which have tests of their own.
    """
    from carboy.auth.battery import Accounts
    from carboy.data.battery import Data
    from carboy.engine.battery import Typed
    from carboy.observe.battery import Ids, Logs, Metrics
    from carboy.policy.battery import Policies
    from carboy.web.battery import Csp, Headers, Hosts, Limits, Pages
    from carboy.web.form.battery import Forms

    kinds = (Ids, Logs, Metrics, Limits, Headers, Data, Policies, Hosts, Csp, Pages, Typed, Forms)
    return tuple(kind() for kind in (*kinds, Accounts))


def tables():
    """Return the tables of accounts, and those of other features that tests have imported."""
    from carboy.auth.models import User

    ours = ("users", "user_sessions", "user_links")
    found = User.metadata.tables.values()
    return [table for table in found if table.name in ours or table.name.startswith("carboy_")]


def views(app):
    """Add pages that look into the session and say who asks."""
    from carboy import request, session
    from carboy.auth.acts import current_user
    from carboy.base.scope import current

    @app.get("/")
    def home():
        me = current_user()
        return {"name": me and me.name, "roles": sorted(current().roles)}

    @app.get("/plain")
    def plain():
        return "nothing is asked"

    @app.get("/kept")
    def kept():
        return dict(session)

    @app.post("/keep")
    def keep():
        session.update(request.get_json())
        return {}

    app.both_inside = threading.Barrier(2, timeout=10)

    @app.post("/slowly")
    def slowly():
        _ = session.get("x")
        app.both_inside.wait()
        session.update(request.get_json())
        session.pop("old", None)
        return {}

    @app.get("/orders/<int:number>")
    def order(number):
        return {"order": number}


def adder(app):
    """Return a function that adds somebody to *app*."""
    from carboy.auth import directory

    def add(name, roles=(), password=WORDS):
        with app.app_context():
            kept = app.extensions["carboy.accounts"].passwords.hash(password)
            return directory.add(f"{name}@example.org", name.title(), kept, roles)

    return add


def visit(app, name=None, base_url="http://localhost"):
    """Return a client of *app*; signed in as *name*."""
    client = app.test_client()
    if name is not None:
        sent = {"email": f"{name}@example.org", "password": WORDS}
        answer = client.post("/sign-in", data=sent, base_url=base_url)
        assert answer.status_code == 303, answer.text
    return client


def rows(app, table="user_sessions"):
    """Return all rows of a table, as dicts."""
    import sqlalchemy as sa

    from carboy.auth.models import User
    from carboy.base.scope import unscoped
    from carboy.data.db import db

    found = User.metadata.tables[table]
    with app.app_context(), unscoped("looking"), db.engine.connect() as connection:
        return [dict(row) for row in connection.execute(sa.select(found)).mappings()]
