"""The same scenarios on the real Linux kernel, in network namespaces."""
