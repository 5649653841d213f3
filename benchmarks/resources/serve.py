"""The application that a server loads: BENCH_PROGRAM and BENCH_URL in the environment say which."""

from __future__ import annotations

import os

from benchmarks.resources.programs import load

app = load(os.environ["BENCH_PROGRAM"]).build(os.environ["BENCH_URL"], {})
