"""What tests of the API do with `library.py`: its rows, and who asks."""

from carboy.base.scope import Scope, unscoped

STAFF = Scope(user=1, roles=frozenset({"staff"}))
ADA = Scope(user=2)
BOB = Scope(user=3)


def ours():
    """Return the tables that Carboy's own features write to along with rows, if imported."""
    from carboy.data.models import Model

    written = ("carboy_once", "carboy_changes")
    return [one for one in Model.metadata.sorted_tables if one.name in written]


def fill(app):
    """Fill the database of *app*."""
    import library as lib

    from carboy.data.db import db

    with app.app_context(), unscoped("rows"):
        jane, ghost = lib.Writer(name="Jane", born=1775), lib.Writer(name="Ghost", secret=True)
        db.session.add_all([jane, ghost])
        db.session.flush()
        found = {"jane": jane.id, "ghost": ghost.id}
        for title, price in (("Emma", 900), ("Persuasion", 800), ("Sanditon", 700)):
            one = lib.Volume(title=title, price_cents=price, writer_id=jane.id)
            db.session.add(one)
            db.session.flush()
            found[title.lower()] = one.id
        mine = lib.Opinion(volume_id=found["emma"], person=2, stars=5, text="Good", public=False)
        db.session.add(mine)
        db.session.flush()
        found["opinion"] = mine.id
        db.session.commit()
    return found


class Asker:
    """A client that somebody asks through."""

    def __init__(self, app, who=None):
        self.app, self.who = app, who

    def __call__(self, method, path, json=None, **more):
        from carboy.engine.asking import ENVIRON

        over = {ENVIRON: self.who} if self.who else {}
        if json is not None:
            more["json"] = json
        return self.app.test_client().open(path, method=method, environ_overrides=over, **more)
