"""Modalities: raw media to features, features to what the model reads."""
