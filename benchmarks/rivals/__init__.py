"""What a user would pick instead, and the least that can be done: each behind the ports it has.

The adapters give back what the library gives back, and make no messages or sessions of it: what is
left out counts for the other side.
"""
