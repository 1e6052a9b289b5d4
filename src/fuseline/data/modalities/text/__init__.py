"""Texts: token ids, the frozen text encoder, parts of words."""
