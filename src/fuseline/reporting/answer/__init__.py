"""What the report says first: sentences that follow from the figures by rules, and a picture."""
