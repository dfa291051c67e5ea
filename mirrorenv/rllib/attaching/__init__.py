"""The mirror attached to algorithms that Ray ships: heads, reward and figures, by a connector and
one more module."""
