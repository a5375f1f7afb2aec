"""Bytes in, plain dataclasses out, and back again. No Django, no network, no guessing."""
