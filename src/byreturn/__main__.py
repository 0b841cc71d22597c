"""Run ByReturn as a module: `python -m byreturn`."""

from byreturn.cli.main import main

if __name__ == "__main__":
    main()
