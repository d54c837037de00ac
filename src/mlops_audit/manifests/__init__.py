"""Manifests of Python and conda environments, one module for each format: which packages they declare."""
