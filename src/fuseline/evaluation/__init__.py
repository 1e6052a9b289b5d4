"""What the models are worth on rows they never saw, and the report that shows it.

Import the modules by name: `evaluate` and `report` are read by different stages, and what one
imports must not re-run the other.
"""
