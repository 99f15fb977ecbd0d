"""The pure decisions of a quiz; time, randomness and rows are arguments."""
