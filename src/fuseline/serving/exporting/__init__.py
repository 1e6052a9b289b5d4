"""The work of the stage `export`: a trained model as graphs that answer without torch."""
