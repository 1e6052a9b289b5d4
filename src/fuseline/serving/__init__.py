"""From a model to its use: the export, the predictor and its faces: `docs/use.md`.

What answers needs no torch: only `exporting` imports what learns.
"""
