"""The program that runs inside a box: the standard library alone, for any Python from 3.9 on.

Every probe opens or tests only what it must not be able to change: it opens settings for writing and writes nothing,
asks the kernel with arguments that it must refuse, and leaves what it made. The modules import each other relatively,
because in a box they are not part of a package of this project.
"""
