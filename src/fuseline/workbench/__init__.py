"""What the commands do that are no stages: begin a project, look at it, compare, verify, tune."""
