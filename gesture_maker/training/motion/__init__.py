"""Sequences to a network over time: what it is made of, how it is trained, and its TFLite file. Arrays in, files out."""
