"""The instrument: who is told apart, how far and by what, in anybody's recorded behaviour."""
