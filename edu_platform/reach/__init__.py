"""Reach: who was reached and who took part. Learner numbers, the beacon log, tallies, reports.

Counts what others announce; decides nothing about pieces, attempts or campaigns. What a figure means
is said once, in `rules`; which campaign a deed belongs to is `campaigns.rules.attribute`.
"""
