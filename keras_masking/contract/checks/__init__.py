"""The checks, a module per family. `registry.py` says what a check is."""
