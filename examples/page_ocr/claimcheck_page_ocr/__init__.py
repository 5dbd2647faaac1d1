"""`ocr`, a task for Claimcheck that its own packages know nothing of."""
