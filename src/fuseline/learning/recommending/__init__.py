"""Learning what to recommend: events as rows, and a model's scores of all items."""
