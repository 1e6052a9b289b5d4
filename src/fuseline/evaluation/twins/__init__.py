"""Linear models on the same frozen features, as figures to beat."""
