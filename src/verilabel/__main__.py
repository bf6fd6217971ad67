"""`python -m verilabel`: the same program as `verilabel`."""

from __future__ import annotations

from verilabel.cli import main

raise SystemExit(main())
