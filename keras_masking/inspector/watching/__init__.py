"""Runs a model with every layer call watched."""
