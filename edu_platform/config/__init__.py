"""Settings: read once from `EDU_*`, refusing nonsense by name. Knows no other room."""
