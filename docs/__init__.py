"""Pages about the package, and what writes those that are made from the code."""
