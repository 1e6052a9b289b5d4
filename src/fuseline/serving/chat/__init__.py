"""Conversations with an exported model: what a message means, what the knowledge answers to it,
when to ask back, and when a person takes over."""
