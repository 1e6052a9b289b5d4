"""From raw rows to features: sources, decoding, checks and splits, encoders, rows in memory."""
