"""Media to features, shard by shard: what every modality shares."""
