"""People's Python inside a world: threads as greenlets, a module table per process, stand-ins, the fence."""
