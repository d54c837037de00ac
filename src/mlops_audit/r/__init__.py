"""R source: its tokens, and where it stands in documents."""
