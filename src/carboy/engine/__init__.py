"""Floor 1: the engine. Flask's semantics, everything resolved before serving."""
