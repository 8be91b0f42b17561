"""Decoders: from an encoder's features by stride to one tensor."""
