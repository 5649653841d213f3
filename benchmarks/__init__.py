"""Carboy side by side with its peers, and the guards that keep it fast.

    environment -> worker (one process per framework) <- rounds -> figures -> report

`bin/bench` is the way in; README.md says what is measured and how to read it.
"""
