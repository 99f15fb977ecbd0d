"""消保审查: cases and approvals by digest. Knows no kind of piece."""
