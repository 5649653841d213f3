"""`bin/bench --resources`: the REST list of a resource beside Django + DRF and FastAPI + SQLModel.

20 of 10,000 rows, those that the person may see, through the whole stack of each: in process,
and under each one's best server.
"""
