"""Writes `docs/checks.md` from the checks: `python -m tools.make_checks`."""

from keras_masking.contract import Check
from keras_masking.contract import all_checks
from keras_masking.names import LEVELS
from keras_masking.names import ROLES
from tools import DOCS

HEAD = """<!-- Made from docstrings by `python -m tools.make_checks`. -->

# The checks

They judge [the contract](contract.md).

*Required* is what the documentation or source of Keras states, or what makes
real outputs wrong. *Advised* is the rest. *Information* never fails a report.
A check is *blocked* when one that it builds on did not pass, and *n/a*, with
the reason, when it has nothing to say of a layer: neither counts as passed.

A `Case` may declare, with a `reason`, what a layer cannot keep by its meaning:
`columns=True`, it speaks of columns of the padded array, makes the checks of
lengths n/a; `requires_mask=True`, it raises without a mask, those that call it
without one. A layer that then works without fails `runs-without-mask`.
"""


def page() -> str:
    """The text of the page."""
    checks = all_checks().values()
    parts = [HEAD]
    rows = ["| check | level | statement |", "|---|---|---|"]
    for level in LEVELS:
        for check in checks:
            if check.level == level:
                link = f"[`{check.id}`](#{check.id})"
                rows.append(f"| {link} | {level} | {check.statement} |")
    parts.append("\n".join(rows) + "\n")
    parts += [section(check) for check in checks]
    return "\n".join(parts)


def section(check: Check) -> str:
    """One check."""
    roles = "any" if check.roles == ROLES else ", ".join(check.roles)
    after = ", ".join(f"`{name}`" for name in check.after) or "nothing"
    return f"""## {check.id}

{check.statement} *({check.level}; roles: {roles}; after: {after})*

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
