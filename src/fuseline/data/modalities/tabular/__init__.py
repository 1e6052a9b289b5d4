"""Table columns: fitted encodings, features."""
