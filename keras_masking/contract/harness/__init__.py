"""One layer under test, in this process."""
