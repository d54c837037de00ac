"""Change over time: comparisons, baselines, and the way that a repository came."""
