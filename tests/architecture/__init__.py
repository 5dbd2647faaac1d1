"""Rules that the code keeps about itself: who imports whom, how long things get, what tests may do."""
