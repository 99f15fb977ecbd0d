"""Pieces, revisions, columns, publishing, the catalogue, search, and the import of `content/`.

Owns the kinds article, poster and video; other rooms bring theirs through `library.kinds`.
Not campaigns, not attempts, not what a learner did with a piece.
"""
