"""The formats of the report, one module for each."""
