"""The one training loop, and the three stages that run it."""
