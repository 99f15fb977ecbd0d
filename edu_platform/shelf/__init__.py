"""What a learner keeps: where they stopped in a piece, their favourites, what they opened last.

A visitor has a shelf too; when they sign in it becomes the learner's. Knows no campaign and no quiz;
that favourites count as participation is for `reach`, which hears of them.
"""
