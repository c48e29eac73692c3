"""`python -m gesture_maker` is `gesture-maker`."""

from gesture_maker.cli import main

main()
