"""Virtual time: hosts, links, processes, and the one queue of what happens next."""
