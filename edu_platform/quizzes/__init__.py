"""Questions and their answer keys, papers, attempts, scoring, leaderboards, mistakes, item statistics.

Knows learners and pieces, but no campaign and no prize. What a question asks and what answers it lie in
two tables; only the functions that have asked `rules.reveal` read the second one for a learner.
"""
