"""Sounds: log-mel spectra, frozen encoders, features."""
