"""The names of roles and levels.

Nothing here imports Keras: the command line and the pytest plugin start before
a backend is chosen.
"""

ROLES = ("generates", "passes", "transforms", "reduces", "merges", "drops")
LEVELS = ("required", "advised", "information")
