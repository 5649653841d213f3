"""the shop

- new table books (id, title, author, year, language, subject, keywords, about, headline, pages,
  price_cents, stock, rating, readers, created_at, updated_at, version)
- new table carboy_changes (id, model, key, title, action, who, at, values)
- new table carboy_once (digest, fingerprint, result, created_at)
- new table carboy_uploads (id, token, who, about, at, text)
- new table users (id, email, name, password_hash, roles, active, created_at, password_changed_at)
- new table orders (id, state, name, street, postcode, city, country, delivery, delivery_cents,
  total_cents, customer_id, created_at, updated_at, version)
- new table reviews (id, stars, title, text, book_id, reader_id, created_at, updated_at)
- new table user_links (id, purpose, expires_at, user_id)
- new table user_sessions (id, data, version, stamp, created_at, seen_at, expires_at, agent,
  address, user_id)
- new table wishes (id, book_id, reader_id, created_at, updated_at)
- new table order_lines (id, count, price_cents, order_id, book_id)
- books gets an index on author
- books gets an index on language
- books gets an index on subject
- carboy_changes gets an index on at
- carboy_changes gets an index on model, key
- carboy_once gets an index on created_at
- orders gets an index on customer_id
- reviews gets an index on book_id
- reviews gets an index on reader_id
- user_links gets an index on expires_at
- user_links gets an index on user_id
- user_sessions gets an index on expires_at
- user_sessions gets an index on user_id
- wishes gets an index on book_id
- wishes gets an index on reader_id
- order_lines gets an index on book_id
- order_lines gets an index on order_id
- books gets full-text search in title, author, language, keywords
"""

import sqlalchemy as sa
from alembic import op

from carboy.data.migrations import kinds, ops

revision = "0001_the_shop"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "books",
        sa.Column("id", kinds.integer()),
        sa.Column("title", kinds.text(200), nullable=False),
        sa.Column("author", kinds.text(100), nullable=False),
        sa.Column("year", kinds.integer(), nullable=False),
        sa.Column("language", kinds.text(40), nullable=False),
        sa.Column("subject", kinds.text(20), nullable=False),
        sa.Column("keywords", kinds.text(200), nullable=False),
        sa.Column("about", kinds.text(2000), nullable=False),
        sa.Column("headline", kinds.text(80), nullable=False),
        sa.Column("pages", kinds.integer(), nullable=False),
        sa.Column("price_cents", kinds.integer(), nullable=False),
        sa.Column("stock", kinds.integer(), nullable=False),
        sa.Column("rating", kinds.number(), nullable=True),
        sa.Column("readers", kinds.integer(), nullable=False),
        sa.Column("created_at", kinds.datetime(), nullable=False),
        sa.Column("updated_at", kinds.datetime(), nullable=False),
        sa.Column("version", kinds.integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_books"),
        kinds.only(
            "sqlite",
            sa.CheckConstraint("length(about) <= 2000", name="ck_books_about_max_length"),
        ),
        kinds.only(
            "sqlite",
            sa.CheckConstraint("length(author) <= 100", name="ck_books_author_max_length"),
        ),
        sa.CheckConstraint(
            kinds.sql("length(author) >= 1", mariadb="char_length(author) >= 1"),
            name="ck_books_author_min_length",
        ),
        kinds.only(
            "sqlite",
            sa.CheckConstraint("length(headline) <= 80", name="ck_books_headline_max_length"),
        ),
        kinds.only(
            "sqlite",
            sa.CheckConstraint("length(keywords) <= 200", name="ck_books_keywords_max_length"),
        ),
        kinds.only(
            "sqlite",
            sa.CheckConstraint("length(language) <= 40", name="ck_books_language_max_length"),
        ),
        sa.CheckConstraint(
            kinds.sql("length(language) >= 1", mariadb="char_length(language) >= 1"),
            name="ck_books_language_min_length",
        ),
        sa.CheckConstraint("pages >= 1", name="ck_books_pages_ge"),
        sa.CheckConstraint("pages <= 10000", name="ck_books_pages_le"),
        sa.CheckConstraint("price_cents >= 0", name="ck_books_price_cents_ge"),
        sa.CheckConstraint("price_cents <= 1000000", name="ck_books_price_cents_le"),
        sa.CheckConstraint("rating >= 1", name="ck_books_rating_ge"),
        sa.CheckConstraint("rating <= 5", name="ck_books_rating_le"),
        sa.CheckConstraint("readers >= 0", name="ck_books_readers_ge"),
        sa.CheckConstraint("stock >= 0", name="ck_books_stock_ge"),
        sa.CheckConstraint("stock <= 100000", name="ck_books_stock_le"),
        sa.CheckConstraint(
            "subject IN ('adventure', 'drama', 'fable', 'gothic', 'history', 'mystery', "
            "'philosophy', 'poetry', 'romance', 'science', 'sea', 'society', 'travel')",
            name="ck_books_subject_choice",
        ),
        kinds.only(
            "sqlite",
            sa.CheckConstraint("length(subject) <= 20", name="ck_books_subject_max_length"),
        ),
        kinds.only(
            "sqlite",
            sa.CheckConstraint("length(title) <= 200", name="ck_books_title_max_length"),
        ),
        sa.CheckConstraint(
            kinds.sql("length(title) >= 1", mariadb="char_length(title) >= 1"),
            name="ck_books_title_min_length",
        ),
        sa.CheckConstraint("year >= -3000", name="ck_books_year_ge"),
        sa.CheckConstraint("year <= 2100", name="ck_books_year_le"),
        **kinds.options(autoincrement=True),
    )
    op.create_table(
        "carboy_changes",
        sa.Column("id", kinds.integer()),
        sa.Column("model", kinds.text(100), nullable=False),
        sa.Column("key", kinds.text(200), nullable=False),
        sa.Column("title", kinds.text(200), nullable=False),
        sa.Column("action", kinds.text(10), nullable=False),
        sa.Column("who", kinds.text(64), nullable=True),
        sa.Column("at", kinds.datetime(), nullable=False),
        sa.Column("values", kinds.json(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_carboy_changes"),
        kinds.only(
            "sqlite",
            sa.CheckConstraint(
                "length(action) <= 10",
                name="ck_carboy_changes_action_max_length",
            ),
        ),
        kinds.only(
            "sqlite",
            sa.CheckConstraint('length("key") <= 200', name="ck_carboy_changes_key_max_length"),
        ),
        kinds.only(
            "sqlite",
            sa.CheckConstraint(
                "length(model) <= 100",
                name="ck_carboy_changes_model_max_length",
            ),
        ),
        kinds.only(
            "sqlite",
            sa.CheckConstraint(
                "length(title) <= 200",
                name="ck_carboy_changes_title_max_length",
            ),
        ),
        kinds.only(
            "sqlite",
            sa.CheckConstraint("length(who) <= 64", name="ck_carboy_changes_who_max_length"),
        ),
        **kinds.options(autoincrement=True),
    )
    op.create_table(
        "carboy_once",
        sa.Column("digest", kinds.text(64)),
        sa.Column("fingerprint", kinds.text(64), nullable=False),
        sa.Column("result", kinds.text(), nullable=True),
        sa.Column("created_at", kinds.datetime(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_carboy_once"),
        kinds.only(
            "sqlite",
            sa.CheckConstraint("length(digest) <= 64", name="ck_carboy_once_digest_max_length"),
        ),
        kinds.only(
            "sqlite",
            sa.CheckConstraint(
                "length(fingerprint) <= 64",
                name="ck_carboy_once_fingerprint_max_length",
            ),
        ),
        **kinds.options(),
    )
    op.create_table(
        "carboy_uploads",
        sa.Column("id", kinds.integer()),
        sa.Column("token", kinds.text(64), nullable=False),
        sa.Column("who", kinds.text(64), nullable=False),
        sa.Column("about", kinds.text(100), nullable=False),
        sa.Column("at", kinds.datetime(), nullable=False),
        sa.Column("text", kinds.text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_carboy_uploads"),
        sa.UniqueConstraint("token", name="uq_carboy_uploads_token"),
        kinds.only(
            "sqlite",
            sa.CheckConstraint(
                "length(about) <= 100",
                name="ck_carboy_uploads_about_max_length",
            ),
        ),
        kinds.only(
            "sqlite",
            sa.CheckConstraint("length(token) <= 64", name="ck_carboy_uploads_token_max_length"),
        ),
        kinds.only(
            "sqlite",
            sa.CheckConstraint("length(who) <= 64", name="ck_carboy_uploads_who_max_length"),
        ),
        **kinds.options(autoincrement=True),
    )
    op.create_table(
        "users",
        sa.Column("id", kinds.integer()),
        sa.Column("email", kinds.text(254), nullable=False),
        sa.Column("name", kinds.text(80), nullable=False),
        sa.Column("password_hash", kinds.text(500), nullable=True),
        sa.Column("roles", kinds.json(), nullable=False),
        sa.Column("active", kinds.boolean(), nullable=False),
        sa.Column("created_at", kinds.datetime(), nullable=False),
        sa.Column("password_changed_at", kinds.datetime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("email", name="uq_users_email"),
        kinds.only(
            "sqlite",
            sa.CheckConstraint("length(email) <= 254", name="ck_users_email_max_length"),
        ),
        kinds.only(
            "sqlite",
            sa.CheckConstraint("length(name) <= 80", name="ck_users_name_max_length"),
        ),
        kinds.only(
            "sqlite",
            sa.CheckConstraint(
                "length(password_hash) <= 500",
                name="ck_users_password_hash_max_length",
            ),
        ),
        **kinds.options(autoincrement=True),
    )
    op.create_table(
        "orders",
        sa.Column("id", kinds.integer()),
        sa.Column("state", kinds.choice(9), nullable=False),
        sa.Column("name", kinds.text(80), nullable=False),
        sa.Column("street", kinds.text(120), nullable=False),
        sa.Column("postcode", kinds.text(10), nullable=False),
        sa.Column("city", kinds.text(80), nullable=False),
        sa.Column("country", kinds.text(40), nullable=False),
        sa.Column("delivery", kinds.text(10), nullable=False),
        sa.Column("delivery_cents", kinds.integer(), nullable=False),
        sa.Column("total_cents", kinds.integer(), nullable=False),
        sa.Column("customer_id", kinds.integer(), nullable=False),
        sa.Column("created_at", kinds.datetime(), nullable=False),
        sa.Column("updated_at", kinds.datetime(), nullable=False),
        sa.Column("version", kinds.integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_orders"),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["users.id"],
            name="fk_orders_customer_id",
            ondelete="RESTRICT",
        ),
        kinds.only(
            "sqlite",
            sa.CheckConstraint("length(city) <= 80", name="ck_orders_city_max_length"),
        ),
        sa.CheckConstraint(
            kinds.sql("length(city) >= 1", mariadb="char_length(city) >= 1"),
            name="ck_orders_city_min_length",
        ),
        sa.CheckConstraint(
            "country IN ('Austria', 'Belgium', 'Czechia', 'Denmark', 'Finland', 'France', "
            "'Germany', 'Greece', 'Ireland', 'Italy', 'Netherlands', 'Norway', 'Poland', "
            "'Portugal', 'Spain', 'Sweden', 'Switzerland', 'United Kingdom')",
            name="ck_orders_country_choice",
        ),
        kinds.only(
            "sqlite",
            sa.CheckConstraint("length(country) <= 40", name="ck_orders_country_max_length"),
        ),
        sa.CheckConstraint("delivery_cents >= 0", name="ck_orders_delivery_cents_ge"),
        sa.CheckConstraint("delivery IN ('post', 'courier')", name="ck_orders_delivery_choice"),
        kinds.only(
            "sqlite",
            sa.CheckConstraint("length(delivery) <= 10", name="ck_orders_delivery_max_length"),
        ),
        kinds.only(
            "sqlite",
            sa.CheckConstraint("length(name) <= 80", name="ck_orders_name_max_length"),
        ),
        sa.CheckConstraint(
            kinds.sql("length(name) >= 1", mariadb="char_length(name) >= 1"),
            name="ck_orders_name_min_length",
        ),
        kinds.only(
            "sqlite",
            sa.CheckConstraint("length(postcode) <= 10", name="ck_orders_postcode_max_length"),
        ),
        sa.CheckConstraint(
            "state IN ('placed', 'sent', 'cancelled')",
            name="ck_orders_state_choice",
        ),
        kinds.only(
            "sqlite",
            sa.CheckConstraint("length(street) <= 120", name="ck_orders_street_max_length"),
        ),
        sa.CheckConstraint(
            kinds.sql("length(street) >= 1", mariadb="char_length(street) >= 1"),
            name="ck_orders_street_min_length",
        ),
        sa.CheckConstraint("total_cents >= 0", name="ck_orders_total_cents_ge"),
        **kinds.options(autoincrement=True),
    )
    op.create_table(
        "reviews",
        sa.Column("id", kinds.integer()),
        sa.Column("stars", kinds.integer(), nullable=False),
        sa.Column("title", kinds.text(80), nullable=False),
        sa.Column("text", kinds.text(2000), nullable=False),
        sa.Column("book_id", kinds.integer(), nullable=False),
        sa.Column("reader_id", kinds.integer(), nullable=False),
        sa.Column("created_at", kinds.datetime(), nullable=False),
        sa.Column("updated_at", kinds.datetime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reviews"),
        sa.ForeignKeyConstraint(
            ["book_id"],
            ["books.id"],
            name="fk_reviews_book_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["reader_id"],
            ["users.id"],
            name="fk_reviews_reader_id",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("reader_id", "book_id", name="uq_reviews_reader_id_book_id"),
        sa.CheckConstraint("stars >= 1", name="ck_reviews_stars_ge"),
        sa.CheckConstraint("stars <= 5", name="ck_reviews_stars_le"),
        kinds.only(
            "sqlite",
            sa.CheckConstraint("length(text) <= 2000", name="ck_reviews_text_max_length"),
        ),
        sa.CheckConstraint(
            kinds.sql("length(text) >= 1", mariadb="char_length(text) >= 1"),
            name="ck_reviews_text_min_length",
        ),
        kinds.only(
            "sqlite",
            sa.CheckConstraint("length(title) <= 80", name="ck_reviews_title_max_length"),
        ),
        **kinds.options(autoincrement=True),
    )
    op.create_table(
        "user_links",
        sa.Column("id", kinds.text(64)),
        sa.Column("purpose", kinds.text(20), nullable=False),
        sa.Column("expires_at", kinds.datetime(), nullable=False),
        sa.Column("user_id", kinds.integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_user_links"),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name="fk_user_links_user_id",
            ondelete="CASCADE",
        ),
        kinds.only(
            "sqlite",
            sa.CheckConstraint("length(id) <= 64", name="ck_user_links_id_max_length"),
        ),
        kinds.only(
            "sqlite",
            sa.CheckConstraint("length(purpose) <= 20", name="ck_user_links_purpose_max_length"),
        ),
        **kinds.options(),
    )
    op.create_table(
        "user_sessions",
        sa.Column("id", kinds.text(64)),
        sa.Column("data", kinds.text(), nullable=False),
        sa.Column("version", kinds.integer(), nullable=False),
        sa.Column("stamp", kinds.text(64), nullable=False),
        sa.Column("created_at", kinds.datetime(), nullable=False),
        sa.Column("seen_at", kinds.datetime(), nullable=False),
        sa.Column("expires_at", kinds.datetime(), nullable=False),
        sa.Column("agent", kinds.text(200), nullable=False),
        sa.Column("address", kinds.text(45), nullable=False),
        sa.Column("user_id", kinds.integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_user_sessions"),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name="fk_user_sessions_user_id",
            ondelete="CASCADE",
        ),
        kinds.only(
            "sqlite",
            sa.CheckConstraint(
                "length(address) <= 45",
                name="ck_user_sessions_address_max_length",
            ),
        ),
        kinds.only(
            "sqlite",
            sa.CheckConstraint("length(agent) <= 200", name="ck_user_sessions_agent_max_length"),
        ),
        kinds.only(
            "sqlite",
            sa.CheckConstraint("length(id) <= 64", name="ck_user_sessions_id_max_length"),
        ),
        kinds.only(
            "sqlite",
            sa.CheckConstraint("length(stamp) <= 64", name="ck_user_sessions_stamp_max_length"),
        ),
        **kinds.options(),
    )
    op.create_table(
        "wishes",
        sa.Column("id", kinds.integer()),
        sa.Column("book_id", kinds.integer(), nullable=False),
        sa.Column("reader_id", kinds.integer(), nullable=False),
        sa.Column("created_at", kinds.datetime(), nullable=False),
        sa.Column("updated_at", kinds.datetime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_wishes"),
        sa.ForeignKeyConstraint(
            ["book_id"],
            ["books.id"],
            name="fk_wishes_book_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["reader_id"],
            ["users.id"],
            name="fk_wishes_reader_id",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("reader_id", "book_id", name="uq_wishes_reader_id_book_id"),
        **kinds.options(autoincrement=True),
    )
    op.create_table(
        "order_lines",
        sa.Column("id", kinds.integer()),
        sa.Column("count", kinds.integer(), nullable=False),
        sa.Column("price_cents", kinds.integer(), nullable=False),
        sa.Column("order_id", kinds.integer(), nullable=False),
        sa.Column("book_id", kinds.integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_order_lines"),
        sa.ForeignKeyConstraint(
            ["book_id"],
            ["books.id"],
            name="fk_order_lines_book_id",
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["orders.id"],
            name="fk_order_lines_order_id",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint("count >= 1", name="ck_order_lines_count_ge"),
        sa.CheckConstraint("count <= 99", name="ck_order_lines_count_le"),
        sa.CheckConstraint("price_cents >= 0", name="ck_order_lines_price_cents_ge"),
        **kinds.options(autoincrement=True),
    )
    op.create_index("ix_books_author", "books", ["author"])
    op.create_index("ix_books_language", "books", ["language"])
    op.create_index("ix_books_subject", "books", ["subject"])
    op.create_index("ix_carboy_changes_at", "carboy_changes", ["at"])
    op.create_index("ix_carboy_changes_row", "carboy_changes", ["model", "key"])
    op.create_index("ix_carboy_once_created_at", "carboy_once", ["created_at"])
    op.create_index("ix_orders_customer_id", "orders", ["customer_id"])
    op.create_index("ix_reviews_book_id", "reviews", ["book_id"])
    op.create_index("ix_reviews_reader_id", "reviews", ["reader_id"])
    op.create_index("ix_user_links_expires_at", "user_links", ["expires_at"])
    op.create_index("ix_user_links_user_id", "user_links", ["user_id"])
    op.create_index("ix_user_sessions_expires_at", "user_sessions", ["expires_at"])
    op.create_index("ix_user_sessions_user_id", "user_sessions", ["user_id"])
    op.create_index("ix_wishes_book_id", "wishes", ["book_id"])
    op.create_index("ix_wishes_reader_id", "wishes", ["reader_id"])
    op.create_index("ix_order_lines_book_id", "order_lines", ["book_id"])
    op.create_index("ix_order_lines_order_id", "order_lines", ["order_id"])
    ops.create_search("books", ["title", "author", "language", "keywords"])


def downgrade() -> None:
    ops.drop_search("books", ["title", "author", "language", "keywords"])
    op.drop_table("order_lines")
    op.drop_table("wishes")
    op.drop_table("user_sessions")
    op.drop_table("user_links")
    op.drop_table("reviews")
    op.drop_table("orders")
    op.drop_table("users")
    op.drop_table("carboy_uploads")
    op.drop_table("carboy_once")
    op.drop_table("carboy_changes")
    op.drop_table("books")
