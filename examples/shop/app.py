"""Demijohn Books: a shop for books that belong to everyone.

carboy db upgrade && carboy db seed && carboy dev         SQLite, in instance/app.db
CARBOY_DATABASE_URL=postgresql://localhost/shop ...       the same, on PostgreSQL

models.py    what there is, and who may do what
orders.py    the checkout                 cart.py     what somebody is about to buy
views.py     the pages that are the shop's own        covers.py  the jackets, drawn
"""

from models import Book, Order, OrderLine, Review, Wish

from carboy import Carboy

app = Carboy(__name__)
