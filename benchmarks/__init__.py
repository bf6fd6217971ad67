"""Measurements of Verilabel beside others: `python -m benchmarks [NAME ...] [--quick] [--peers] [--write]`."""
