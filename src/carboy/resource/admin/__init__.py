"""Admin: every resource, what happened lately, and who may do what, in one place."""
