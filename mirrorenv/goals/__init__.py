"""Agents that pursue goals by way of nearer goals, learned by hindsight from wandering."""
