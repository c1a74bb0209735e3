"""The test file that `keras-masking init` writes."""

from collections.abc import Iterable
from typing import Any

HEAD = '''"""{target} keeps the mask contract of Keras layers.

`keras-masking explain ID` says what a check demands. A layer may break one
for a reason: Case(..., expected_failures={{"pad-value": "the reason"}}).
"""
'''
TEST = """

@parametrize_with_checks(CASES)
def test_mask_contract(check):
    check()
"""


def test_file(target: str, found: Iterable[dict[str, Any]]) -> str:
    """Python with a case for each layer that was found."""
    found = list(found)
    first = {line: None for one in found for line in one["imports"]}
    plain = [line for line in first if line.startswith("import ")]
    rest = [line for line in first if line not in plain]
    cases = []
    for one in found:
        if one["lacks"]:
            cases += [f"    # {one['lacks']}"]
        else:
            cases += [f"    {one['expression']},"]
    made = "\n".join(cases)
    names = ["parametrize_with_checks"]
    if "Case(" in made:
        names.insert(0, "Case")
    ours = [f"from keras_masking.contract import {name}" for name in names]
    return (
        HEAD.format(target=target)
        + "\n"
        + "\n".join([*plain, *([""] if plain else []), *rest, *ours])
        + f"\n\nCASES = [\n{made}\n]\n"
        + TEST
    )
