"""The program beside each box that starts what runs in it: a process of its own that has dropped all rights.

It runs on Python's standard library alone, imports everything before it drops its rights (afterwards the library may
be out of reach), and needs few imports, because a box waits for it to start.
"""
