"""The test file that `keras-masking init` writes."""

import ast
import os
from pathlib import Path
from typing import Any

HEAD = '''"""{target} keeps the mask contract of Keras.

`keras-masking explain ID` explains a check. To accept a failure, give a reason:
{example}(..., expected_failures={{"ID": "the reason"}}).
"""
'''
TEST = """

@parametrize_with_checks(CASES)
def test_mask_contract(check):
    check()
"""

PATH = "sys.path.insert(0, "
KINDS = ("Case", "LossCase", "MetricCase", "ModelCase")


def test_file(target: str, output: Path, found: list[dict[str, Any]]) -> str:
    """The source of a test file with a case for each layer that was found."""
    lines = {line: None for one in found for line in one["imports"]}
    written = {one["expression"].split("(")[0] for one in found}
    kinds = [kind for kind in KINDS if kind in written]
    for name in (*kinds, "parametrize_with_checks"):
        lines[f"from keras_masking.contract import {name}"] = None
    cases = [_case(one) for one in found]
    return "\n".join(
        [
            HEAD.format(target=target, example=(*kinds, "Case")[0]),
            *_imports(list(lines), output.absolute().parent),
            "",
            "CASES = [",
            *cases,
            "]",
            TEST,
        ]
    )


def _case(one: dict[str, Any]) -> str:
    if one["lacks"]:
        return f"    # {one['lacks']}"
    known = one["name"] in one["expression"]
    return f"    {one['expression']}," + ("" if known else f"  # {one['name']}")


def _imports(lines: list[str], folder: Path) -> list[str]:
    """The import lines; added paths are relative to the test file."""
    roots = [line for line in lines if line.startswith(PATH)]
    rest = [line for line in lines if line.startswith("from ")]
    if not roots:
        return rest
    paths = []
    for line in roots:
        root = ast.literal_eval(line.removeprefix(PATH)[:-1])
        near = Path(os.path.relpath(root, folder)).as_posix()
        paths.append(f'{PATH}str(HERE / "{near}"))')
    return [
        "import sys",
        "from pathlib import Path",
        "",
        "HERE = Path(__file__).parent",
        *paths,
        "",
        *rest,
    ]
