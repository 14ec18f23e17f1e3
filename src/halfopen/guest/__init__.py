"""People's Python inside a world: greenlets for threads, stand-ins, own modules, the fence."""
