"""The same step on several devices: a script for each engine.

Each runs in processes of its own and prints a line of JSON for each cell of the
table in `docs/devices.md`: how far the step, and the reported loss, are from
those of one process with the whole batch.
"""
