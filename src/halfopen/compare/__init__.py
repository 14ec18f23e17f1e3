"""Two traces side by side: where the world and the kernel agree, and where they first do not."""
