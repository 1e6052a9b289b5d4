"""Whether the test split is told from the training split."""
