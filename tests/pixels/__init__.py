"""Tests of decoders, geometry, storage codecs and the decoder process."""
