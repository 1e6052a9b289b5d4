"""Accuracy under attack, in embeddings, features and pixels, and an audit of the attacks."""
