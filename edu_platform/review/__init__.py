"""消保审查: cases, and approvals of exactly one digest. The gate that every publication passes.

Knows no kind of piece: a subject is a name, what it says is a digest. Not publishing itself.
"""
