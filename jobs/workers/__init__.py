"""What runs on executors, imported there by name: it keeps what it loads in the worker process."""
