"""What models are worth on rows they never saw: scores, robustness, trust, stress, leakage, twins.

Import the modules by name: different stages read them, and what one imports must not re-run
another.
"""
