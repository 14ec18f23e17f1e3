"""A faithful, Linux-like TCP/IP in a simulated world, where anything can fail at any instant."""
