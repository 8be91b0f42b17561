"""What one look at a record leaves: fingerprint and traits."""
