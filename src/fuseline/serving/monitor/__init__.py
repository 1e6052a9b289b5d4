"""The mood of a stream of rows by topic, and an alarm when it turns: `fuseline monitor`."""
