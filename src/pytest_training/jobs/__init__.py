"""What there is to train, read from files without importing them."""
