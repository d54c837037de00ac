"""Shell text as commands with their lines, working directories and whether their failure is masked."""
