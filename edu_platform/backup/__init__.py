"""Copies of everything that was acknowledged, proved whole, and putting them back.

It copies the database, the files and (apart, without history) the key store; it is not a schedule, which is the
operating system's, nor a place to keep the installation's secrets, which belong elsewhere than data.
"""
