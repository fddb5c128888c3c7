"""Which hosts there are and what they are called."""
