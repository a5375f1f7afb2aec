"""The durable job queue that any package above may use."""
