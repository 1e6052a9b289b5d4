"""How good lists of items are, beside what popularity and other people's histories give."""
