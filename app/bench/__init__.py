"""`launch.py bench`: what the desk needs on this machine, and how its engine stands beside other roads to a draft."""
