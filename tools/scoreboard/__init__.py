"""The scoreboard: `python -m tools.scoreboard`."""
