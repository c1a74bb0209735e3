"""Where each of our layers can be exported: `python -m tools.exports run`."""
