"""What learns: models, objectives, attacks on them, tasks, the training loop, prompts."""
