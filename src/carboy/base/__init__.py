"""Floor 0: what every feature stands on. Standard library only."""
