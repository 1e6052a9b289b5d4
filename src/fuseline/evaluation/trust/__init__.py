"""How far a model's figures and its own confidence can be trusted: `docs/trust.md`."""
