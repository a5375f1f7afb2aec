"""Settings, addresses, start-up, and commands that cross packages: the only package that knows everything."""
