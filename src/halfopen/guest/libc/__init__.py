"""What glibc does between a program and its kernel: names, services, protocols."""
