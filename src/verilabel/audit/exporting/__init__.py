"""An audit in other people's formats."""
