"""Lists of items for people by an export's folder `recommender`: read, ranked, explained."""
