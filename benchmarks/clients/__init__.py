"""The programs that are measured beside Verilabel; each runs as a process of its own."""
