"""People's own Python inside a world: greenlets as threads, a module table per process, the fence."""
