"""Adversarial training: objectives that wrap another."""
