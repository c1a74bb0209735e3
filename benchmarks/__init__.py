"""What masks cost: our layers beside Keras', the unmasked operation, others.

Run: python -m benchmarks [--help]
"""

import os
import sys

# The package of another checkout, timed by the rows of this one.
if checkout := os.environ.get("BENCHMARKED_CHECKOUT"):
    sys.path.insert(0, checkout)
