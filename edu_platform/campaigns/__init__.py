"""Campaigns: a window of time that puts pieces before an audience, and the short codes of its channels.

Decides to which campaign something counts (`rules.attribute`), and gives the home feed. It does not
count: that is `reach`. It does not decide what is published: that is `library`.
"""
