"""Questions, papers, attempts, scoring, leaderboards, mistakes. Knows neither campaigns nor prizes."""
