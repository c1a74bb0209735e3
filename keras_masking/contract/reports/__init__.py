"""What a run found: summaries, tables and files."""
