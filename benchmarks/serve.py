"""The application that a real server loads: `benchmarks.serve:app`.

BENCH_PROGRAM and BENCH_WORKLOAD in the environment say which.
"""

from __future__ import annotations

import os

from benchmarks.programs import load

app = load(os.environ["BENCH_PROGRAM"]).build(os.environ["BENCH_WORKLOAD"])
