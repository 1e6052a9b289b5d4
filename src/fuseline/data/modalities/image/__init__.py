"""Pictures: pixels, frozen encoders and their top layers, features."""
