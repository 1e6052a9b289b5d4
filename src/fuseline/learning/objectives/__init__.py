"""Objectives: a batch and the model into a loss and named figures."""
