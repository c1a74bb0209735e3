"""Measures what padding moves."""
