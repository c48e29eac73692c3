"""Gestures that move: clips in, a sequence network and its TFLite out, events from a film or camera.

`clips` is what lies in a motion dataset, `tracks` the hand that is followed through a clip, `features` what the network sees of it,
`windows` where in a clip it looks, `run` and `train` a training, `events` when something is said, `live` and `evaluate` the use.
"""
