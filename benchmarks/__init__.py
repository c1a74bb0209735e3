"""What masks cost: our layers, Keras, the unmasked operation, other packages.

Run: python -m benchmarks [--help]
"""

import os
import sys

# The package of another checkout, timed by the rows of this one.
if checkout := os.environ.get("BENCHMARKED_CHECKOUT"):
    sys.path.insert(0, checkout)
