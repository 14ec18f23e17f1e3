"""IP of one host: interfaces, routes, demultiplexing, ICMP, UDP."""
