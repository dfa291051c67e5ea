"""Leaderboards: many result folders on one page."""
