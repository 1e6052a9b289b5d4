"""Revisions side by side: headline figures, and which differences are real."""
