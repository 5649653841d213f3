"""Forged requests: a form on another site that is sent with our visitor's cookies."""
