"""Who was reached and who took part: learner numbers, the beacon log, tallies, reports."""
