"""The `carboy` command. Stands outside the floors: imports anything, nothing imports it."""
