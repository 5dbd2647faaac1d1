"""What the tests themselves are built of."""
