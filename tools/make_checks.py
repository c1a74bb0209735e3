"""Generates `docs/checks.md` from the checks: `python -m tools.make_checks`."""

from keras_masking.contract import Check
from keras_masking.contract import all_checks
from keras_masking.names import LEVELS
from keras_masking.names import ROLES
from tools import DOCS

HEAD = """<!-- Made from docstrings by `python -m tools.make_checks`. -->

# The checks

They test [the contract](contract.md).

*Required* checks test what the documentation or source of Keras states, or what
makes real outputs wrong. *Advised* checks test the rest. *Information* never
fails a report. A check is *blocked* if one that it depends on did not pass, and
*n/a*, with the reason, if it does not apply to a layer, loss or metric. Neither
counts as passed.

A `Case` may declare, with a `reason`, what a layer cannot keep by definition.
`columns=True` says that the layer is defined by columns of the padded array;
the checks of length are then n/a. `requires_mask=True` says that the layer
raises without a mask; the checks that call it without one are then n/a, and if
it works without a mask after all, `runs-without-mask` fails.
"""
TITLES = {
    "layer": "Checks of layers",
    "loss": "Checks of losses",
    "metric": "Checks of metrics",
}


def page() -> str:
    """The text of the page."""
    parts = [HEAD]
    for kind, title in TITLES.items():
        checks = all_checks(kind).values()
        parts += [f"**{title}**", ""]
        rows = ["| check | level | statement |", "|---|---|---|"]
        for level in LEVELS:
            for check in checks:
                if check.level == level:
                    link = f"[`{check.id}`](#{check.id})"
                    rows.append(f"| {link} | {level} | {check.statement} |")
        parts.append("\n".join(rows) + "\n")
    for kind in TITLES:
        parts += [section(check) for check in all_checks(kind).values()]
    return "\n".join(parts)


def section(check: Check) -> str:
    """One check."""
    roles = "any" if check.roles == ROLES else ", ".join(check.roles)
    subject = f"roles: {roles}" if check.kind == "layer" else check.kind
    after = ", ".join(f"`{name}`" for name in check.after) or "nothing"
    return f"""## {check.id}

{check.statement} *({check.level}; {subject}; after: {after})*

**Why.** {capital(check.why)}

**Likely cause.** {capital(check.cause)}

```python
# wrong
{check.wrong}
```

```python
# right
{check.right}
```
"""


def capital(text: str) -> str:
    """The text as a sentence of its own."""
    return text[:1].upper() + text[1:]


if __name__ == "__main__":
    (DOCS / "checks.md").write_text(page())
