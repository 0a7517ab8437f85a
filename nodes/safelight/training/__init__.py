"""How the networks of the course are trained, on a cartoon world drawn on the spot."""
