"""Learners (WeChat identity, age band, consent), staff (accounts, roles), tokens, and the registry for export and erasure."""
