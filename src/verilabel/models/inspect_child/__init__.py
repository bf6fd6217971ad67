"""What runs beside Inspect AI, in another interpreter: the standard library and inspect_ai, nothing of this package.

`__main__.py` is started by `models.inspect_process`; commands and answers are lines of JSON over its standard input and
output.
"""
