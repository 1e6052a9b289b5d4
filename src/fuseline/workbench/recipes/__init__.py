"""`fuseline init --recipe`: a system to run, laid over a project."""
