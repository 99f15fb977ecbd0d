"""A window of time that puts pieces before an audience: channel codes, attribution, the home feed. Counts nothing."""
