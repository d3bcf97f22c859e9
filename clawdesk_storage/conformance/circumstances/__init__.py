"""The circumstances in which a store is tried: overlapping, cancelled, and what follows."""
