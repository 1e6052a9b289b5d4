"""How a stage runs and is recorded: its frame, its signals, hashes of code, revisions, remotes."""
