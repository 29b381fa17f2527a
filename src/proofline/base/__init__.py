"""The starting policy: bundled with the repository, pre-trained from scratch, or a pinned model of the hub."""
