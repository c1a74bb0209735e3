"""One process for each backend."""
