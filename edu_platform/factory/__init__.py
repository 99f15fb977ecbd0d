"""Puts the house together: settings, database, rooms, kinds, signal handlers in their order. Holds no rule."""
