"""Models shared through a Hub: a run is pushed with its model card and checksums, and pulled only as what it says it is."""
