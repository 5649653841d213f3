"""OpenAPI: the document of all of an application's API, and pages and clients made of it."""
