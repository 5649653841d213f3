"""Resources: pages, REST, OpenAPI and admin, derived from a model at run time."""
