"""What is promised while processes die, services fail and answers get lost."""
