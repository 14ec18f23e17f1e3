"""Loading what is to be explored: a file with a function that builds a world."""
