"""Decoding of sound and video, for the checks of `ingest` and for feature extraction."""
