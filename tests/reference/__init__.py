"""Pages that are made from the code: `make reference` writes them, tests/unit/test_reference.py holds that they are current."""
