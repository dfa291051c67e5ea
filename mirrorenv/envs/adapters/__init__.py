"""Worlds seen from elsewhere: as PettingZoo environments, from PettingZoo environments."""
