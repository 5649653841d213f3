"""Start from what exists: `carboy new NAME --from movies.csv`.

    source  ->  Stage        every value as it stands, in a scratch file, line by line
            ->  Profile      what each column can be, told while it streams past
            ->  Draft        tables, types, keys, relations, names; what was not sure
            ->  a project    models.py, app.py, tests, README, the first migration
            ->  the rows     all of them in one transaction, or nothing at all

Memory stays bounded whatever the source; a project appears only when it is whole.
"""
