"""The hash-chained trail of what staff did; the actor is kept by value."""
