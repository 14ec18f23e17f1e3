"""Virtual time: hosts, links and processes, where anything can fail at any instant."""
