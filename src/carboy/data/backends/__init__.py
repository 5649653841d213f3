"""The databases: how each is set up for production, and what its errors mean."""
