"""Files: inspection, renditions, storage, delivery; drawing posters and covers; rendering films.

Knows bytes and digests, not pieces.
"""
