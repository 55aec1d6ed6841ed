"""The connector's own command line, which here also knows the benchmark's destination."""

from __future__ import annotations

from bench.one_by_one import register
from connector.cli.main import main

if __name__ == "__main__":
    register()
    main()
