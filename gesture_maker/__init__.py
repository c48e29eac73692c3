"""gesture-maker: photos of hand gestures in, a MediaPipe `.task` bundle out."""

__version__ = "0.1.0"
