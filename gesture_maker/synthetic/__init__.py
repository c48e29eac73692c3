"""Hands drawn from a jointed model: demo data, tests and negatives without one photo.

`hand` is the skeleton and its joint limits, `poses` the named gestures, `people` who makes them, `surface` the flesh on the
bones, `render` the camera and the light, `draw` an image or a whole dataset from a seed,
`hgr1` a set with masks.
"""
