"""What a learner keeps: progress, favourites, history. Knows no campaign."""
