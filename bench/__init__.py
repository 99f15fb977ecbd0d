"""What is measured, each beside a ceiling in the same run: ratios and CPU per request, never a timed test."""
