"""The episodic store that agents share: what was met, found again by likeness."""
