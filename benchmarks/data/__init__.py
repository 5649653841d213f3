"""What data cost: Carboy's ways to read and write beside the raw driver and its peers.

shop      the table, its rows, the requests and the answer they must give
programs  one program per way, each in a process of its own
views     CPU per request: a list and one row, through a view      (rounds, worker)
inside    policy on and off, an idle request, keyset pages, bulk   (side by side, one process)
report    the section of RESULTS.md

`bin/bench --data` runs it all, on SQLite and on a private PostgreSQL server.
"""
