"""A model as it stands: its scores on clean rows, without each modality, and the tables of both."""
