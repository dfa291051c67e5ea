"""The console script `rllib`, apart from the trainer."""
