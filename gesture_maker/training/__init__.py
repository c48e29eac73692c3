"""Embeddings to head. The only room that imports TensorFlow."""
