"""Numbers about whole projects on a device of torch, equal to those of ``numerics`` within 1e-6."""
