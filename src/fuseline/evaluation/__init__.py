"""What the models are worth on rows they never saw.

Import the modules by name: different stages read them, and what one stage imports must not re-run
another.
"""
