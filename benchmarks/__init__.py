"""What masks cost: our layers beside Keras', the unmasked operation, others.

Run: python -m benchmarks [--help]
"""
