"""Full text search: one way to ask, one way for each database to keep it in step."""
