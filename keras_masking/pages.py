"""Templates of HTML pages, which escape all texts of layers and models."""

from jinja2 import Environment
from jinja2 import PackageLoader
from jinja2 import StrictUndefined


def templates(package: str) -> Environment:
    """The templates of a package, which escape everything put into them."""
    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
