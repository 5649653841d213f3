"""Testing kit: what a project's own tests stand on. A pytest plugin brings it along."""
